// The host side of a serial port: keeps the scroll-back, feeds the log and any number of clients, and never waits for one of them.
//
// Output is one stream with a position. The ring holds its last 1 MiB; every client has its own position in it and is sent what
// its socket takes. A client that falls behind the ring loses the oldest bytes, nothing else.
import type { Duplex } from "node:stream";
import { CONSOLE_SCROLLBACK_BYTES } from "../protocol/engine.ts";
import type { LogFile } from "./log-file.ts";

const RING_MASK = CONSOLE_SCROLLBACK_BYTES - 1;
const SEND_BYTES = 64 << 10;

interface Client {
  readonly socket: Duplex;
  position: number;
  blocked: boolean;
}

export class SerialConsole {
  readonly #ring = new Uint8Array(CONSOLE_SCROLLBACK_BYTES);
  readonly #clients = new Set<Client>();
  readonly #log: LogFile | undefined;
  readonly #input: (bytes: Uint8Array) => void;
  #end = 0;
  /** Up to where clients and log have been told. */
  #told = 0;
  #soon: NodeJS.Immediate | undefined;

  /** `input` gets what clients type. */
  constructor(input: (bytes: Uint8Array) => void, log: LogFile | undefined) {
    this.#input = input;
    this.#log = log;
  }

  /** One byte from the guest. It is passed on with those that follow it, when the guest's time slice is over. */
  write(byte: number): void {
    this.#ring[this.#end++ & RING_MASK] = byte;
    this.#soon ??= setImmediate(() => this.flush());
    if (this.#end - this.#told >= CONSOLE_SCROLLBACK_BYTES / 2) this.flush();
  }

  /** Passes on what was written since the last call. */
  flush(): void {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    if (this.#told === this.#end) return;
    if (this.#log) this.#log.append(this.#slice(this.#told, this.#end));
    this.#told = this.#end;
    for (const client of this.#clients) this.#serve(client);
  }

  /** A client; `tail` starts it at the present end. Input that arrived with the channel line comes in `first`. */
  attach(socket: Duplex, tail: boolean, first: Uint8Array): void {
    const position = tail ? this.#told : Math.max(0, this.#told - CONSOLE_SCROLLBACK_BYTES);
    const client: Client = { socket, position, blocked: false };
    this.#clients.add(client);
    if (first.length > 0) this.#input(first);
    socket.on("data", (bytes: Uint8Array) => this.#input(new Uint8Array(bytes)));
    socket.on("drain", () => {
      client.blocked = false;
      this.#serve(client);
    });
    socket.on("close", () => this.#clients.delete(client));
    this.#serve(client);
  }

  /** Ends all clients after what they still have to get. */
  close(): void {
    this.flush();
    for (const client of this.#clients) client.socket.end();
    this.#clients.clear();
  }

  #serve(client: Client): void {
    client.position = Math.max(client.position, this.#end - CONSOLE_SCROLLBACK_BYTES);
    while (!client.blocked && client.position < this.#told) {
      const end = Math.min(this.#told, client.position + SEND_BYTES);
      client.blocked = !client.socket.write(this.#slice(client.position, end));
      client.position = end;
    }
  }

  #slice(from: number, to: number): Uint8Array {
    const bytes = new Uint8Array(to - from);
    const start = from & RING_MASK;
    const first = Math.min(bytes.length, CONSOLE_SCROLLBACK_BYTES - start);
    bytes.set(this.#ring.subarray(start, start + first));
    bytes.set(this.#ring.subarray(0, bytes.length - first), first);
    return bytes;
  }
}
