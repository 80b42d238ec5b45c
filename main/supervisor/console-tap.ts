// Follows a serial port of a running machine, for commands that wait for output. Connects on first use; the engine's scroll-back comes
// first, so nothing printed before is missed.
import { createConnection, type Socket } from "node:net";
import type { Disposable } from "../../native-core/common/disposable.ts";
import { AppError } from "../../native-core/common/errors.ts";
import { CONSOLE_SCROLLBACK_BYTES } from "../../native-core/protocol/engine.ts";

export interface OutputMatch {
  readonly match: string;
  readonly groups: string[];
  /** Where the match ends, in characters of all output seen; pass it on to find only later output. */
  readonly offset: number;
}

export class ConsoleTap implements Disposable {
  readonly #socket: Socket;
  readonly #decoder = new TextDecoder();
  readonly #waiters = new Set<() => void>();
  #text = "";
  /** Characters dropped in front of #text. */
  #base = 0;
  #closed = false;

  constructor(dataSocket: string, port: number) {
    this.#socket = createConnection(dataSocket);
    this.#socket.write(`console ${port}\n`);
    this.#socket.on("data", (bytes) => this.#append(this.#decoder.decode(bytes, { stream: true })));
    // `close` follows every error and tells the waiters.
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** @throws AppError TIMEOUT, CANCELLED, or INVALID_STATE when the machine ends first. */
  async waitFor(pattern: RegExp, fromOffset: number, timeoutMs: number, signal?: AbortSignal): Promise<OutputMatch> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const from = Math.max(0, fromOffset - this.#base);
      const found = pattern.exec(this.#text.slice(from));
      if (found) {
        const offset = this.#base + from + found.index + found[0].length;
        return { match: found[0], groups: found.slice(1).map((group) => group ?? ""), offset };
      }
      if (this.#closed) {
        throw new AppError("INVALID_STATE", `The machine ended before its output matched ${pattern.source}`, {
          field: "pattern",
          remedy: "Look at the machine's log and serial output.",
        });
      }
      if (signal?.aborted) throw new AppError("CANCELLED", "Waiting for output was cancelled");
      const leftMs = deadline - Date.now();
      if (leftMs <= 0) throw this.#timeout(pattern, timeoutMs);
      await this.#change(leftMs, signal);
    }
  }

  dispose(): void {
    this.#socket.destroy();
  }

  #append(text: string): void {
    this.#text += text;
    // Trimmed at twice the limit, so that the copy is rare.
    if (this.#text.length > 2 * CONSOLE_SCROLLBACK_BYTES) {
      const drop = this.#text.length - CONSOLE_SCROLLBACK_BYTES;
      this.#text = this.#text.slice(drop);
      this.#base += drop;
    }
    this.#wake();
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  #change(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(limitMs, 2 ** 31 - 1));
      signal?.addEventListener("abort", done, { once: true });
      this.#waiters.add(done);
    });
  }

  #timeout(pattern: RegExp, timeoutMs: number): AppError {
    const last = this.#text.trimEnd().split("\n").slice(-3).join("\n");
    return new AppError("TIMEOUT", `The serial output did not match ${pattern.source} within ${timeoutMs / 1000} s`, {
      field: "pattern",
      consequence: last === "" ? "Nothing was printed yet." : `The last lines were:\n${last}`,
      remedy: "Wait longer, or look at the console.",
    });
  }
}
