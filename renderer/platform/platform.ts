// What the renderer needs from the shell it runs in. `electron.ts` and `browser.ts` are the only two implementations
// and the only two files that differ between the shells.
import type { ClientContext, ClientLink } from "@orpc/client";

/** The part of a WebSocket that noVNC and the console use; an Electron MessagePort is dressed as one. */
export interface DataSocket {
  binaryType: string;
  readonly protocol: string;
  readonly readyState: number | string;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: Event) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: string | ArrayBuffer | ArrayBufferView<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** One control connection. It is never repaired: when it is lost a new one is made. */
export interface RpcConnection {
  readonly link: ClientLink<ClientContext>;
  /** Settles when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;
  close(): void;
}

/** The shell refuses this window; trying again is of no use. */
export class AccessDenied extends Error {
  override readonly name = "AccessDenied";
}

export type DataChannelName = "rfb" | "console/0" | "console/1" | "sound";

export interface Platform {
  readonly kind: "electron" | "browser";
  /** Rejects when the host can't be reached, with `AccessDenied` when it refuses this window. */
  connect(): Promise<RpcConnection>;
  openDataChannel(machineId: string, channel: DataChannelName): DataSocket;
  /** Where a dropped file lies on the host; null where the shell does not tell. */
  pathOf(file: File): string | null;
}
