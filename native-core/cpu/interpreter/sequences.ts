// Joins operations to sequences that have one handler (hot-sequences.ts), when a block is written.
import { OPERATION_SIZE } from "../../x86/operation.ts";
import type { HandlerSequence } from "./handler-table.ts";

const WORDS = OPERATION_SIZE / 4;
const HANDLER = 0xffff;

/** A tree of the sequences' handlers, in arrays: blocks are written by the ten thousand in a boot. */
export class Sequences {
  /** By handler: its column in #next; 0 for those in no sequence. */
  readonly #columns: Uint8Array;
  readonly #width: number;
  /** By node and column: the node behind it, or 0. Node 0 is the start. */
  readonly #next: Uint16Array;
  /** By node: the handler of the sequence that ends there, or 0. */
  readonly #handlers: Uint16Array;

  constructor(sequences: readonly HandlerSequence[]) {
    const parts = new Set(sequences.flatMap((sequence) => sequence.parts));
    this.#columns = new Uint8Array(HANDLER + 1);
    [...parts].forEach((part, n) => {
      this.#columns[part] = n + 1;
    });
    this.#width = parts.size + 1;
    const most = sequences.reduce((sum, sequence) => sum + sequence.parts.length, 1);
    this.#next = new Uint16Array(most * this.#width);
    this.#handlers = new Uint16Array(most);
    let nodes = 1;
    for (const { handler, parts } of sequences) {
      let node = 0;
      for (const part of parts) {
        const at = node * this.#width + (this.#columns[part] ?? 0);
        node = this.#next[at] ||= nodes++;
      }
      this.#handlers[node] = handler;
    }
  }

  /** Gives the first operation of each sequence in a block its handler; the longest that fits. `at`: index of the block's first word. */
  join(words: Int32Array, at: number, operations: number): void {
    const end = at + operations * WORDS;
    for (let first = at; first < end; ) {
      let node = 0;
      let found = 0;
      let behind = first + WORDS;
      for (let word = first; word < end; ) {
        const column = this.#columns[(words[word] ?? 0) & HANDLER] ?? 0;
        node = column === 0 ? 0 : (this.#next[node * this.#width + column] ?? 0);
        if (node === 0) break;
        word += WORDS;
        const handler = this.#handlers[node] ?? 0;
        if (handler === 0) continue;
        found = handler;
        behind = word;
      }
      if (found !== 0) words[first] = ((words[first] ?? 0) & ~HANDLER) | found;
      first = behind;
    }
  }
}
