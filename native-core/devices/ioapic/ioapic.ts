// 82093AA I/O APIC: 24 inputs, each with a redirection entry (data sheet 3.2). MMIO at 0xFEC00000: index at 0x00, data at 0x10.
//
// Inputs here are logical: `set(true)` means asserted, whatever polarity the guest programs, because the board has no inverters.
import { z } from "zod";
import type { AccessSize, Device, InterruptLine, IoBus } from "../device.ts";
import type { InterruptBus } from "../lapic/interrupt-bus.ts";
import { arrayOf, u8, u32 } from "../state-schema.ts";

export const IOAPIC_BASE = 0xfec00000;
const IOAPIC_PINS = 24;
const IOAPIC_BYTES = 0x1000;
const IOAPIC_VERSION = 0x11;

const INDEX = 0x00;
const DATA = 0x10;
const EOI = 0x40;
const REGISTER = { ID: 0x00, VERSION: 0x01, ARBITRATION: 0x02, REDIRECTION: 0x10 } as const;
const ENTRY = {
  VECTOR: 0xff,
  LOGICAL: 1 << 11,
  REMOTE_IRR: 1 << 14,
  LEVEL: 1 << 15,
  MASKED: 1 << 16,
  /** Delivery status and remote IRR are the controller's. */
  WRITABLE: 0x1afff,
} as const;

const stateSchema = z.strictObject({
  index: u8,
  id: u32,
  lines: u32,
  low: arrayOf(u32, IOAPIC_PINS),
  high: arrayOf(u32, IOAPIC_PINS),
});
export type IoApicState = z.infer<typeof stateSchema>;

export class IoApic implements Device<IoApicState> {
  readonly name = "ioapic";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<IoApicState> = stateSchema;
  readonly #messages: InterruptBus;
  readonly #low = new Uint32Array(IOAPIC_PINS);
  readonly #high = new Uint32Array(IOAPIC_PINS);
  #index = 0;
  #id = 0;
  #lines = 0;

  constructor(bus: IoBus, messages: InterruptBus) {
    this.#messages = messages;
    this.#low.fill(ENTRY.MASKED);
    bus.mapMmio(IOAPIC_BASE, IOAPIC_BYTES, {
      read: (offset, size) => this.#read(offset, size),
      write: (offset, _size, value) => this.#write(offset, value),
    });
  }

  line(pin: number): InterruptLine {
    return { set: (level) => this.#setLine(pin, level) };
  }

  /** The local APIC ended a level-triggered interrupt: inputs that still ask are sent again. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const low = this.#low[pin] as number;
      if ((low & ENTRY.VECTOR) !== vector || (low & ENTRY.LEVEL) === 0) continue;
      this.#low[pin] = low & ~ENTRY.REMOTE_IRR;
      this.#sendLevel(pin);
    }
  }

  reset(): void {
    this.#index = 0;
    this.#id = 0;
    this.#low.fill(ENTRY.MASKED);
    this.#high.fill(0);
  }

  save(): IoApicState {
    return { index: this.#index, id: this.#id, lines: this.#lines, low: [...this.#low], high: [...this.#high] };
  }

  restore(state: IoApicState): void {
    this.#index = state.index;
    this.#id = state.id;
    this.#lines = state.lines & ((1 << IOAPIC_PINS) - 1);
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      this.#low[pin] = (state.low[pin] ?? 0) & (ENTRY.WRITABLE | ENTRY.REMOTE_IRR);
      this.#high[pin] = state.high[pin] ?? 0;
    }
  }

  #read(offset: number, size: AccessSize): number {
    if (offset === INDEX) return this.#index;
    if (offset < DATA || offset >= DATA + 4) return 0;
    const value = this.#readRegister(this.#index);
    return size === 4 ? value : value >>> ((offset - DATA) * 8);
  }

  #readRegister(register: number): number {
    switch (register) {
      case REGISTER.ID:
      case REGISTER.ARBITRATION:
        return this.#id;
      case REGISTER.VERSION:
        return ((IOAPIC_PINS - 1) << 16) | IOAPIC_VERSION;
      default: {
        const pin = (register - REGISTER.REDIRECTION) >> 1;
        return ((register & 1) === 0 ? this.#low[pin] : this.#high[pin]) ?? 0;
      }
    }
  }

  #write(offset: number, value: number): void {
    if (offset === INDEX) this.#index = value & 0xff;
    else if (offset === DATA) this.#writeRegister(this.#index, value);
    else if (offset === EOI) this.endOfInterrupt(value & 0xff);
  }

  #writeRegister(register: number, value: number): void {
    if (register === REGISTER.ID) this.#id = value & 0x0f000000;
    const pin = (register - REGISTER.REDIRECTION) >> 1;
    if (pin < 0 || pin >= IOAPIC_PINS) return;
    if ((register & 1) !== 0) {
      this.#high[pin] = value & 0xff000000;
      return;
    }
    const before = this.#low[pin] as number;
    // Remote IRR goes with the level mode: switching an entry to edge clears it, which Linux uses as an EOI of its own.
    const remote = (value & ENTRY.LEVEL) !== 0 ? before & ENTRY.REMOTE_IRR : 0;
    this.#low[pin] = (value & ENTRY.WRITABLE) | remote;
    this.#sendLevel(pin);
  }

  #setLine(pin: number, level: boolean): void {
    const bit = 1 << pin;
    const was = (this.#lines & bit) !== 0;
    if (was === level) return;
    this.#lines = level ? this.#lines | bit : this.#lines & ~bit;
    if (!level) return;
    const low = this.#low[pin] as number;
    if ((low & ENTRY.LEVEL) !== 0) this.#sendLevel(pin);
    else if ((low & ENTRY.MASKED) === 0) this.#send(pin);
  }

  #sendLevel(pin: number): void {
    const low = this.#low[pin] as number;
    const asserted = (this.#lines & (1 << pin)) !== 0;
    if (!asserted || (low & ENTRY.LEVEL) === 0 || (low & (ENTRY.MASKED | ENTRY.REMOTE_IRR)) !== 0) return;
    this.#low[pin] = low | ENTRY.REMOTE_IRR;
    this.#send(pin);
  }

  #send(pin: number): void {
    const low = this.#low[pin] as number;
    const destination = (this.#high[pin] as number) >>> 24;
    this.#messages.route({
      destination,
      logical: (low & ENTRY.LOGICAL) !== 0,
      mode: (low >>> 8) & 7,
      vector: low & ENTRY.VECTOR,
      levelTriggered: (low & ENTRY.LEVEL) !== 0,
    });
  }
}
