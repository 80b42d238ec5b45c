// PCI slots that open and close while the machine runs, as ACPI tells the guest of them (the registers of QEMU's PIIX4 board):
//
//   00h  slots where something was plugged in; reading takes note      08h  write: slots that the guest has let go of
//   04h  slots that the guest is asked to let go of                    0Ch  slots that can be plugged
//
// The DSDT's event method reads the first two and notifies the slots' devices; _EJ0 of a slot writes the third.
import { z } from "zod";
import type { AccessSize, Device, IoBus } from "../device.ts";
import { u32 } from "../state-schema.ts";

/** Slots whose device may come and go while the machine runs: virtio disks, network adapters (config/slots.ts) and shared folders. */
export const HOT_PLUG_SLOTS: readonly number[] = [...Array.from({ length: 16 }, (_, index) => 8 + index), 25];
export const HOT_PLUG_PORT = 0xae00;
export const HOT_PLUG_BYTES = 0x10;
export const HOT_PLUG = { PLUGGED: 0, REMOVE: 4, EJECT: 8, SLOTS: 0xc } as const;

const SLOT_BITS = HOT_PLUG_SLOTS.reduce((bits, slot) => (bits | (1 << slot)) >>> 0, 0);

const stateSchema = z.strictObject({ plugged: u32, remove: u32 });
type HotPlugState = z.infer<typeof stateSchema>;

export interface HotPlugParts {
  readonly bus: IoBus;
  /** The general-purpose event that sends the guest here. */
  readonly notify: () => void;
  /** The guest has let go of what is in a slot. */
  readonly ejected: (slot: number) => void;
}

export class HotPlug implements Device<HotPlugState> {
  readonly name = "hot-plug";
  readonly stateVersion = 1;
  readonly stateSchema = stateSchema;
  readonly missingInOldStates = true;
  readonly #parts: HotPlugParts;
  #plugged = 0;
  #remove = 0;

  constructor(parts: HotPlugParts) {
    this.#parts = parts;
    parts.bus.mapPorts(HOT_PLUG_PORT, HOT_PLUG_BYTES, {
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => {
        if (offset === HOT_PLUG.EJECT && size === 4) this.#eject(value);
      },
    });
  }

  plugged(slot: number): void {
    this.#plugged = (this.#plugged | (1 << slot)) >>> 0;
    this.#remove = (this.#remove & ~(1 << slot)) >>> 0;
    this.#parts.notify();
  }

  askToRemove(slot: number): void {
    this.#remove = (this.#remove | (1 << slot)) >>> 0;
    this.#parts.notify();
  }

  /** Whatever was in the slot is gone without the guest. */
  removed(slot: number): void {
    this.#remove = (this.#remove & ~(1 << slot)) >>> 0;
    this.#plugged = (this.#plugged & ~(1 << slot)) >>> 0;
  }

  reset(): void {
    // What firmware finds in a slot needs no event; what the guest was asked for goes with it.
    this.#plugged = 0;
    for (let slot = 0; slot < 32; slot++) if ((this.#remove >>> slot) & 1) this.#eject((1 << slot) >>> 0);
    this.#remove = 0;
  }

  save(): HotPlugState {
    return { plugged: this.#plugged, remove: this.#remove };
  }

  restore(state: HotPlugState): void {
    this.#plugged = (state.plugged & SLOT_BITS) >>> 0;
    this.#remove = (state.remove & SLOT_BITS) >>> 0;
  }

  #read(offset: number, size: AccessSize): number {
    if (size !== 4) return 0;
    switch (offset) {
      case HOT_PLUG.PLUGGED: {
        const plugged = this.#plugged;
        this.#plugged = 0;
        return plugged;
      }
      case HOT_PLUG.REMOVE:
        return this.#remove;
      case HOT_PLUG.SLOTS:
        return SLOT_BITS;
      default:
        return 0;
    }
  }

  /** Only what was asked for: a guest has no say over the rest. */
  #eject(slots: number): void {
    for (let slot = 0; slot < 32; slot++) {
      if (!((slots >>> slot) & 1) || !((this.#remove >>> slot) & 1)) continue;
      this.removed(slot);
      this.#parts.ejected(slot);
    }
  }
}
