// virtio-input as a tablet: a pointer with absolute position, three buttons and a wheel. The guest's pointer is then exactly where the
// user's is, which a PS/2 mouse behind a viewer can't promise.
import { z } from "zod";
import { u8 } from "../../state-schema.ts";
import { ABS, BTN, EV, REL } from "./input-codes.ts";
import { VirtioInput } from "./virtio-input.ts";

/** Both axes go from 0 to this, whatever the picture's size. */
const AXIS_MAX = 0x7fff;

const BUTTONS = [BTN.LEFT, BTN.RIGHT, BTN.MIDDLE] as const;

const tabletStateSchema = z.object({ select: u8, subselect: u8, buttons: u8 });
type VirtioTabletState = z.infer<typeof tabletStateSchema>;

export interface TabletState {
  /** Position as a fraction of the picture, 0 to 1. */
  readonly x: number;
  readonly y: number;
  /** Bit 0 left, 1 right, 2 middle. */
  readonly buttons: number;
  /** Detents turned since the last call, down positive. */
  readonly wheel: number;
}

export class VirtioTablet extends VirtioInput<VirtioTabletState> {
  readonly stateSchema = tabletStateSchema;
  #buttons = 0;
  /** The latest state that the driver had no room for. */
  #unsent: TabletState | undefined;

  constructor() {
    super({
      ...{ name: "Terrarium tablet", productId: 1, axisMax: AXIS_MAX },
      codes: new Map<number, readonly number[]>([
        [EV.KEY, BUTTONS],
        [EV.REL, [REL.WHEEL]],
        [EV.ABS, [ABS.X, ABS.Y]],
      ]),
    });
  }

  /** Tells the driver, or keeps the state until it has room: positions in between are not missed by anybody. */
  report(state: TabletState): void {
    const { x, y, buttons } = state;
    const wheel = state.wheel + (this.#unsent?.wheel ?? 0);
    const events: [type: number, code: number, value: number][] = [
      [EV.ABS, ABS.X, toAxis(x)],
      [EV.ABS, ABS.Y, toAxis(y)],
    ];
    BUTTONS.forEach((code, index) => {
      const bit = 1 << index;
      if ((buttons ^ this.#buttons) & bit) events.push([EV.KEY, code, buttons & bit ? 1 : 0]);
    });
    // Linux counts a wheel turned up as positive.
    if (wheel !== 0) events.push([EV.REL, REL.WHEEL, -wheel]);
    const sent = this.send(events);
    if (sent) this.#buttons = buttons;
    this.#unsent = sent || !this.active ? undefined : { x, y, buttons, wheel };
  }

  save(): VirtioTabletState {
    return { ...this.selection, buttons: this.#buttons };
  }

  restore(state: VirtioTabletState): void {
    this.restoreSelection(state);
    this.#buttons = state.buttons;
    this.#unsent = undefined;
  }

  protected override hasRoom(): void {
    if (this.#unsent) this.report({ ...this.#unsent, wheel: 0 });
  }

  protected override forget(): void {
    this.#buttons = 0;
    this.#unsent = undefined;
  }
}

function toAxis(fraction: number): number {
  return Math.round(Math.min(1, Math.max(0, fraction)) * AXIS_MAX);
}
