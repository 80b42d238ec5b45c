// A Node socket as a NAT's stream.
import type { Socket } from "node:net";
import type { CloseReason, HostStream, HostStreamEvents } from "../../network/nat/host-network.ts";

const REASONS: Readonly<Record<string, CloseReason>> = {
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
};

export class NodeStream implements HostStream {
  readonly #socket: Socket;
  #reason: CloseReason = "done";
  #events: HostStreamEvents | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    // Data waits in the kernel until somebody has said what to do with it.
    socket.setNoDelay(true);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#reason = REASONS[error.code ?? ""] ?? "failed";
    });
  }

  /** From now on `events` hears what happens. */
  listen(events: HostStreamEvents): void {
    this.#events = events;
    const socket = this.#socket;
    socket.on("connect", () => this.#events?.connected());
    socket.on("data", (bytes: Buffer) => this.#events?.data(bytes));
    socket.on("drain", () => this.#events?.drained());
    socket.on("end", () => this.#events?.ended());
    socket.on("close", () => this.#events?.closed(this.#reason));
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed && !this.#socket.writableEnded) this.#socket.write(bytes);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  end(): void {
    this.#socket.end();
  }

  abort(): void {
    this.#events = undefined;
    if (this.#socket.destroyed) return;
    if (this.#socket.connecting) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}
