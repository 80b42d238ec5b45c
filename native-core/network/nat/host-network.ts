// What a NAT asks of the host: connections, datagrams, time and names. Implemented with Node's sockets in native-core/host/network and
// by scripts in tests. Addresses are bytes; nothing here resolves names.
import type { Disposable } from "../../common/disposable.ts";

/** A TCP connection of the host. After `closed` was called nothing may be called any more. */
export interface HostStream {
  /** The bytes belong to the stream from now. */
  write(bytes: Uint8Array): void;
  /** Bytes written that the host's kernel has not taken yet. */
  readonly unsentBytes: number;
  /** Several writes follow, up to `uncork`: they may go out together. */
  cork(): void;
  uncork(): void;
  /** Sends FIN after what was written; the other direction stays open. */
  end(): void;
  /** Gives up both directions at once. `closed` is not called. */
  abort(): void;
  pause(): void;
  resume(): void;
}

export type CloseReason = "done" | "refused" | "unreachable" | "failed";

export interface HostStreamEvents {
  connected(): void;
  /** The bytes belong to the callee. */
  data(bytes: Uint8Array): void;
  /** `unsentBytes` has become 0 after a write. */
  drained(): void;
  /** The peer sends no more. */
  ended(): void;
  closed(reason: CloseReason): void;
}

export interface HostDatagrams {
  send(payload: Uint8Array, address: Uint8Array, port: number): void;
  close(): void;
}

export type DatagramReceiver = (payload: Uint8Array, address: Uint8Array, port: number) => void;

export interface HostEndpoint {
  readonly address: Uint8Array;
  readonly port: number;
}

/** A listening socket; `port` is the real one when 0 was asked for. */
export interface HostListener extends Disposable {
  readonly port: number;
}

export interface HostNetwork {
  nowMs(): number;
  /** Calls back about every `ms` milliseconds. */
  setInterval(ms: number, callback: () => void): Disposable;
  setTimer(ms: number, callback: () => void): Disposable;
  random(bytes: Uint8Array): void;
  connect(to: HostEndpoint, events: HostStreamEvents): HostStream;
  /** Rejects with AppError PORT_TAKEN, PERMISSION_DENIED or IO_ERROR. */
  listen(on: HostEndpoint, accept: (stream: HostStream) => HostStreamEvents): Promise<HostListener>;
  /** A socket for datagrams to anywhere, at a port of the host's choice. */
  openDatagrams(family: 4 | 6, receive: DatagramReceiver): HostDatagrams;
  /** Rejects like `listen`. */
  bindDatagrams(on: HostEndpoint, receive: DatagramReceiver): Promise<HostDatagrams>;
  /** Whether an echo request was answered within `timeoutMs`. */
  ping(address: Uint8Array, timeoutMs: number): Promise<boolean>;
  /** Addresses of the host's interfaces. */
  ownAddresses(): readonly Uint8Array[];
  /** Name servers the host uses, best first. */
  nameServers(): readonly HostEndpoint[];
  /** Whether the host has a public IPv6 address. */
  readonly hasIpv6: boolean;
}
