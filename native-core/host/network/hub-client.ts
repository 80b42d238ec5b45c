// A port of a switch in the network process (hub-server.ts), as a network an adapter is plugged into. When that process is gone the
// port waits and connects again: the guest sees a network on which nobody answers for a moment.
import { connect, type Socket } from "node:net";
import type { AdapterEnd, Frame, NetworkEnd } from "../../network/frame.ts";
import { FrameReader, type HubHello, messageHeader } from "../../network/switch/wire-format.ts";

const RETRY_MS = 500;
/** Frames beyond this are dropped, as by a switch whose port is busy. */
const MAX_UNSENT_BYTES = 2 << 20;

export class HubClient implements NetworkEnd {
  readonly #path: string;
  readonly #hello: HubHello;
  readonly #adapter: AdapterEnd;
  #socket: Socket | undefined;
  #isConnected = false;
  #retry: NodeJS.Timeout | undefined;
  #disposed = false;

  constructor(path: string, hello: HubHello, adapter: AdapterEnd) {
    this.#path = path;
    this.#hello = hello;
    this.#adapter = adapter;
    this.#connect();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  receive(frame: Frame): void {
    const socket = this.#socket;
    if (!socket || !this.#isConnected || socket.writableLength > MAX_UNSENT_BYTES) return;
    if (socket.writableCorked === 0) socket.cork();
    socket.write(messageHeader(frame));
    socket.write(frame.bytes);
  }

  flush(): void {
    this.#socket?.uncork();
  }

  roomAgain(): void {
    this.#socket?.resume();
  }

  dispose(): void {
    this.#disposed = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = connect(this.#path);
    this.#socket = socket;
    const reader = new FrameReader();
    socket.on("connect", () => {
      this.#isConnected = true;
      socket.write(`${JSON.stringify(this.#hello)}\n`);
    });
    socket.on("data", (bytes) => {
      for (const frame of reader.read(bytes)) this.#adapter.receive(frame);
      if (reader.isBroken) socket.destroy();
      // The guest is slow or stands still: what comes next waits in the socket, and then at the switch.
      else if (!this.#adapter.hasRoom) socket.pause();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#isConnected = false;
      if (this.#disposed) return;
      this.#retry = setTimeout(() => this.#connect(), RETRY_MS);
      this.#retry.unref();
    });
  }
}
