// Where the user's keys and motion go: to the device whose driver the guest has set up, virtio before USB before PS/2, which firmware and boot
// loaders know.
import type { InputEvent } from "./inputs.ts";

interface Keyboard {
  /** Bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
  readonly leds: number;
  key(key: number, down: boolean): void;
}

interface Driven {
  /** A driver of the guest listens. */
  readonly active: boolean;
}

type PointerEvent = Extract<InputEvent, { kind: "pointer" }>;

/** The devices there are beside PS/2's; they may come later than this. */
interface HandCards {
  readonly keyboard: (Keyboard & Driven) | undefined;
  readonly tablet: ({ report(event: PointerEvent): void } & Driven) | undefined;
  readonly usb:
    | { readonly keyboard: Keyboard & Driven; readonly tablet: { move(event: PointerEvent): void } & Driven }
    | undefined;
}

interface Ps2Hands extends Keyboard {
  move(dx: number, dy: number, wheel: number, buttons: number): void;
}

export class Hands {
  readonly #cards: HandCards;
  readonly #ps2: Ps2Hands;
  /** The keyboard of each key that is down: that one has to see it released, whatever the guest set up meanwhile. */
  readonly #held = new Map<number, Keyboard>();

  constructor(cards: HandCards, ps2: Ps2Hands) {
    this.#cards = cards;
    this.#ps2 = ps2;
  }

  /** Lights of the keyboard that the guest uses. */
  get leds(): number {
    return this.#keyboard.leds;
  }

  key({ key, down }: Extract<InputEvent, { kind: "key" }>): void {
    const holder = this.#held.get(key);
    if (!down) {
      this.#held.delete(key);
      (holder ?? this.#keyboard).key(key, false);
      return;
    }
    const keyboard = this.#keyboard;
    // Repeated, and the guest has set up another keyboard since.
    if (holder && holder !== keyboard) holder.key(key, false);
    this.#held.set(key, keyboard);
    keyboard.key(key, true);
  }

  pointer(event: PointerEvent): void {
    const { tablet, usb } = this.#cards;
    if (tablet?.active) tablet.report(event);
    else if (usb?.tablet.active) usb.tablet.move(event);
    else this.#ps2.move(event.dx, event.dy, event.wheel, event.buttons);
  }

  get #keyboard(): Keyboard {
    const { keyboard, usb } = this.#cards;
    if (keyboard?.active) return keyboard;
    return usb?.keyboard.active ? usb.keyboard : this.#ps2;
  }
}
