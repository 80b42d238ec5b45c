// The Electron shell: main brokers one MessagePort per channel. The preload exposes `window.terrarium.requestPort(id, target)`
// and hands the port over with `window.postMessage({ terrariumPort: id }, origin, [port])`, because ports can't cross the bridge.
import { RPCLink } from "@orpc/client/message-port";
import { linkPlugins } from "./link-plugins.ts";
import type { DataChannelName, DataSocket, Platform, RpcConnection } from "./platform.ts";

/** What the preload exposes. `rpc`, or `data/<machineId>/<channel>`. */
interface TerrariumBridge {
  requestPort(id: string, target: string): void;
  /** Path of a file that the user dropped; empty for anything else. */
  pathOf(file: File): string;
}

declare global {
  interface Window {
    readonly terrarium?: TerrariumBridge;
  }
}

export function isElectron(): boolean {
  return typeof window !== "undefined" && window.terrarium !== undefined;
}

let requests = 0;

function requestPort(target: string): Promise<MessagePort> {
  const bridge = window.terrarium;
  if (!bridge) return Promise.reject(new Error("not running in Electron"));
  const id = `${target}#${++requests}`;
  return new Promise((resolve) => {
    const receive = (event: MessageEvent) => {
      if (event.source !== window || event.data?.terrariumPort !== id) return;
      const port = event.ports[0];
      if (!port) return;
      window.removeEventListener("message", receive);
      resolve(port);
    };
    window.addEventListener("message", receive);
    bridge.requestPort(id, target);
  });
}

async function connect(): Promise<RpcConnection> {
  const port = await requestPort("rpc");
  const closed = new Promise<void>((resolve) => port.addEventListener("close", () => resolve(), { once: true }));
  const link = new RPCLink({ port, plugins: linkPlugins() });
  port.start();
  return { link, closed, close: () => port.close() };
}

/** A MessagePort dressed as the part of a WebSocket that noVNC and the console use. */
class PortSocket implements DataSocket {
  binaryType = "arraybuffer";
  readonly protocol = "";
  readyState: number = WebSocket.CONNECTING;
  onopen: DataSocket["onopen"] = null;
  onmessage: DataSocket["onmessage"] = null;
  onerror: DataSocket["onerror"] = null;
  onclose: DataSocket["onclose"] = null;
  #port: MessagePort | null = null;

  constructor(target: string) {
    void requestPort(target).then((port) => this.#open(port));
  }

  #open(port: MessagePort): void {
    if (this.readyState !== WebSocket.CONNECTING) return port.close();
    this.#port = port;
    this.readyState = WebSocket.OPEN;
    port.onmessage = (event) => {
      const bytes: unknown = event.data;
      const data = ArrayBuffer.isView(bytes)
        ? bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
        : bytes;
      this.onmessage?.(new MessageEvent("message", { data }));
    };
    port.addEventListener("close", () => this.#closed());
    this.onopen?.(new Event("open"));
    port.start();
  }

  #closed(): void {
    if (this.readyState === WebSocket.CLOSED) return;
    this.readyState = WebSocket.CLOSED;
    this.onclose?.(new CloseEvent("close", { wasClean: true, code: 1000 }));
  }

  send(data: string | ArrayBuffer | ArrayBufferView<ArrayBuffer>): void {
    if (typeof data === "string") return this.#port?.postMessage(new TextEncoder().encode(data));
    // noVNC reuses its send buffer: the bytes are copied before they leave.
    const view = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    this.#port?.postMessage(view.slice());
  }

  close(): void {
    this.#port?.close();
    this.#closed();
  }
}

function openDataChannel(machineId: string, channel: DataChannelName): DataSocket {
  return new PortSocket(`data/${machineId}/${channel}`);
}

export const electronPlatform: Platform = {
  kind: "electron",
  connect,
  openDataChannel,
  pathOf: (file) => window.terrarium?.pathOf(file) || null,
};
