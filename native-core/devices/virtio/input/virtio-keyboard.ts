// virtio-input as a keyboard: all keys, and lights that the driver sets. Unlike PS/2's, which takes some port accesses and an interrupt a
// byte, a key is one packet; and every key that there is has a code.
import { z } from "zod";
import { flag, u8, u16 } from "../../state-schema.ts";
import { EV, LED, REP } from "./input-codes.ts";
import { KEY_CODES, linuxKeyCode } from "./key-codes.ts";
import { VirtioInput } from "./virtio-input.ts";

/** Keys that wait for a driver without room. A release may still come when no more is pressed, so that no key stays down. */
const MAX_WAITING_PRESSES = 128;
const MAX_WAITING = 256;

/** A driver's light by its bit among PS/2's: 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
const LED_BITS: ReadonlyMap<number, number> = new Map([
  [LED.SCROLL_LOCK, 1],
  [LED.NUM_LOCK, 2],
  [LED.CAPS_LOCK, 4],
]);

const keyboardStateSchema = z.strictObject({
  select: u8,
  subselect: u8,
  leds: u8,
  waiting: z.array(z.strictObject({ code: u16, down: flag })).max(MAX_WAITING),
});
type VirtioKeyboardState = z.infer<typeof keyboardStateSchema>;

export class VirtioKeyboard extends VirtioInput<VirtioKeyboardState> {
  readonly stateSchema = keyboardStateSchema;
  #leds = 0;
  #waiting: VirtioKeyboardState["waiting"] = [];

  constructor() {
    super({
      ...{ name: "Terrarium keyboard", productId: 2 },
      // The guest repeats keys that are held, at the rate its user likes.
      codes: new Map<number, readonly number[]>([
        [EV.KEY, KEY_CODES],
        [EV.LED, [LED.NUM_LOCK, LED.CAPS_LOCK, LED.SCROLL_LOCK]],
        [EV.REP, [REP.DELAY, REP.PERIOD]],
      ]),
    });
  }

  /** Bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
  get leds(): number {
    return this.#leds;
  }

  /** A key went down or up (numbers as in ps2/scan-codes.ts). Keys that are not known are dropped. */
  key(key: number, down: boolean): void {
    const code = linuxKeyCode(key);
    if (code === undefined || !this.active) return;
    if (this.#waiting.length < (down ? MAX_WAITING_PRESSES : MAX_WAITING)) this.#waiting.push({ code, down });
    this.hasRoom();
  }

  save(): VirtioKeyboardState {
    return { ...this.selection, leds: this.#leds, waiting: [...this.#waiting] };
  }

  restore(state: VirtioKeyboardState): void {
    this.restoreSelection(state);
    this.#leds = state.leds & 7;
    this.#waiting = [...state.waiting];
  }

  protected override hasRoom(): void {
    let sent = 0;
    for (const { code, down } of this.#waiting) {
      if (!this.send([[EV.KEY, code, down ? 1 : 0]])) break;
      sent++;
    }
    this.#waiting.splice(0, sent);
  }

  protected override told(type: number, code: number, value: number): void {
    const bit = type === EV.LED ? (LED_BITS.get(code) ?? 0) : 0;
    this.#leds = value === 0 ? this.#leds & ~bit : this.#leds | bit;
  }

  protected override forget(): void {
    this.#leds = 0;
    this.#waiting = [];
  }
}
