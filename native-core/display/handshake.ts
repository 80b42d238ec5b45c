// The opening of RFB (RFC 6143 7.1-7.3): version, security, initialization. Security is None: the shell protects the channel.
import type { MessageReader } from "./message-reader.ts";
import { PIXEL_FORMAT_BYTES, SCREEN_FORMAT, writePixelFormat } from "./pixel-format.ts";

const SERVER_VERSION = "RFB 003.008\n";
const VERSION_BYTES = 12;
const SECURITY_NONE = 1;

type Step = "version" | "security" | "initialization" | "done";

export class Handshake {
  #step: Step = "version";
  #minor = 8;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #serverInit: () => Uint8Array;

  constructor(send: (bytes: Uint8Array) => void, serverInit: () => Uint8Array) {
    this.#send = send;
    this.#serverInit = serverInit;
    send(new TextEncoder().encode(SERVER_VERSION));
  }

  /** Takes what it can from `reader`. True when the viewer may send messages; a string says why it has to go. */
  advance(reader: MessageReader): boolean | string {
    for (;;) {
      const step = this.#step;
      if (step === "done") return true;
      if (reader.available < (step === "version" ? VERSION_BYTES : 1)) return false;
      const problem = this.#take(step, reader);
      if (problem) return problem;
    }
  }

  #take(step: Step, reader: MessageReader): string | undefined {
    switch (step) {
      case "version": {
        const text = new TextDecoder().decode(reader.take(VERSION_BYTES));
        const match = /^RFB 003\.(\d{3})\n$/.exec(text);
        if (!match) return `not an RFB viewer: ${JSON.stringify(text)}`;
        // RFC 6143 7.1.1: anything that is not 3.7 or 3.8 is treated as 3.3.
        const minor = Number(match[1]);
        this.#minor = minor === 7 || minor === 8 ? minor : 3;
        if (this.#minor === 3) {
          this.#send(Uint8Array.of(0, 0, 0, SECURITY_NONE));
          this.#step = "initialization";
        } else {
          this.#send(Uint8Array.of(1, SECURITY_NONE));
          this.#step = "security";
        }
        return undefined;
      }
      case "security": {
        if (reader.take(1)[0] !== SECURITY_NONE) return "viewer chose a security type that was not offered";
        // SecurityResult: 3.7 sends none for None.
        if (this.#minor === 8) this.#send(Uint8Array.of(0, 0, 0, 0));
        this.#step = "initialization";
        return undefined;
      }
      default:
        // ClientInit: the shared flag. Viewers always share.
        reader.take(1);
        this.#send(this.#serverInit());
        this.#step = "done";
        return undefined;
    }
  }
}

/** ServerInit: size, pixel format, name (RFC 6143 7.3.2). */
export function serverInit(width: number, height: number, name: string): Uint8Array {
  const title = new TextEncoder().encode(name);
  const bytes = new Uint8Array(8 + PIXEL_FORMAT_BYTES + title.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, width);
  view.setUint16(2, height);
  writePixelFormat(view, 4, SCREEN_FORMAT);
  view.setUint32(20, title.length);
  bytes.set(title, 24);
  return bytes;
}
