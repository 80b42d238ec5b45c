// One viewer's keyboard: which keys it holds down, so that none stays down when the viewer goes away.
import type { InputSink } from "./input-sink.ts";
import { KEY_SHIFT_LEFT, KEY_SHIFT_RIGHT, keysymToKeyStroke, SCAN_CODE_ALIASES } from "./keysyms.ts";

export class ViewerKeyboard {
  readonly #sink: InputSink;
  readonly #held = new Set<number>();

  constructor(sink: InputSink) {
    this.#sink = sink;
  }

  /** A key by scan code, as QEMU's extended key event names it: E0 keys have bit 7 set. */
  scanCode(code: number, down: boolean): void {
    if (code <= 0 || code > 0xff) return;
    this.#set(SCAN_CODE_ALIASES[code] ?? code, down);
  }

  /** A key by character. The guest's layout is taken to be US, and Shift is held as that layout needs it. */
  keysym(keysym: number, down: boolean): void {
    const stroke = keysymToKeyStroke(keysym);
    if (!stroke) return;
    const { code, shift } = stroke;
    const shifts = [KEY_SHIFT_LEFT, KEY_SHIFT_RIGHT].filter((key) => this.#held.has(key));
    if (!down || shift === undefined || shift === shifts.length > 0) {
      this.#set(code, down);
      return;
    }
    // The viewer's layout and the US one disagree about Shift: put it right for the moment of the stroke.
    if (shift) this.#sink.key(KEY_SHIFT_LEFT, true);
    else for (const key of shifts) this.#sink.key(key, false);
    this.#set(code, true);
    if (shift) this.#sink.key(KEY_SHIFT_LEFT, false);
    else for (const key of shifts) this.#sink.key(key, true);
  }

  releaseAll(): void {
    for (const code of [...this.#held]) this.#set(code, false);
  }

  #set(code: number, down: boolean): void {
    // A release of a key that is not down is somebody else's, or was sent before.
    if (!down && !this.#held.delete(code)) return;
    if (down) this.#held.add(code);
    this.#sink.key(code, down);
  }
}
