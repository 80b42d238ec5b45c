// The local APIC of the one processor, in xAPIC mode (SDM 3A chapter 11): MMIO at 0xFEE00000.
//
// Interrupts arrive as messages (IOAPIC, MSI, IPI to self, LVT entries), wait in IRR, and go to the processor by priority class.
// The 8259 pair comes in through LINT0 as ExtINT ("virtual wire", MP specification 3.6.2.2); with the APIC switched off by
// IA32_APIC_BASE it drives the processor's INTR pin directly.
import { z } from "zod";
import type { AccessSize, Device, IoBus, IoMapping, MessageInterrupts, VirtualClock } from "../device.ts";
import { arrayOf, flag, u32, u64 } from "../state-schema.ts";
import {
  APIC_BASE_ENABLE,
  DELIVERY,
  ESR,
  ICR,
  LAPIC,
  LAPIC_BASE,
  LAPIC_BYTES,
  LAPIC_VERSION,
  LVT,
  SHORTHAND,
  SVR_ENABLE,
} from "./registers.ts";
import { LapicTimer, timerStateSchema } from "./timer.ts";
import { VectorSet } from "./vector-set.ts";

/** LVT entries by register offset, with the bits a guest can write. */
const LVT_WRITABLE: ReadonlyMap<number, number> = new Map([
  [LAPIC.LVT_TIMER, 0x300ff],
  [LAPIC.LVT_THERMAL, 0x107ff],
  [LAPIC.LVT_PERFORMANCE, 0x107ff],
  [LAPIC.LVT_LINT0, 0x1a7ff],
  [LAPIC.LVT_LINT1, 0x1a7ff],
  [LAPIC.LVT_ERROR, 0x100ff],
]);
const LVT_OFFSETS = [...LVT_WRITABLE.keys()];
const LOWEST_VECTOR = 16;
const RESET_APIC_BASE = 0xfee00900n;

const vectorSet = arrayOf(u32, 8);
const stateSchema = z.strictObject({
  apicBase: u64,
  id: u32,
  tpr: z.int().min(0).max(255),
  ldr: u32,
  dfr: u32,
  svr: u32,
  esr: u32,
  esrLatched: u32,
  icrLow: u32,
  icrHigh: u32,
  lvt: arrayOf(u32, LVT_OFFSETS.length),
  irr: vectorSet,
  isr: vectorSet,
  tmr: vectorSet,
  extInt: flag,
  timer: timerStateSchema,
});
export type LapicState = z.infer<typeof stateSchema>;

export interface LapicParts {
  bus: IoBus;
  clock: VirtualClock;
  /** What `hasInterrupt` says may have changed. */
  changed(): void;
  nmi(): void;
  /** End of a level-triggered interrupt: goes to the IOAPIC. */
  broadcastEoi(vector: number): void;
  /** INTA cycle of the 8259 pair. */
  acknowledgeExtInt(): number;
}

export class Lapic implements Device<LapicState>, MessageInterrupts {
  readonly name = "lapic";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<LapicState> = stateSchema;
  readonly #parts: LapicParts;
  readonly #timer: LapicTimer;
  readonly #irr = new VectorSet();
  readonly #isr = new VectorSet();
  readonly #tmr = new VectorSet();
  readonly #lvt = new Map<number, number>();
  #mapping: IoMapping | undefined;
  #apicBase = RESET_APIC_BASE;
  #id = 0;
  #tpr = 0;
  #ldr = 0;
  #dfr = 0xffffffff;
  #svr = 0xff;
  #esr = 0;
  #esrLatched = 0;
  #icrLow = 0;
  #icrHigh = 0;
  /** Level of LINT0: the output of the 8259 pair. */
  #extInt = false;

  constructor(parts: LapicParts) {
    this.#parts = parts;
    this.#timer = new LapicTimer(parts.clock, () => this.#fireLvt(LAPIC.LVT_TIMER));
    this.#resetRegisters();
    this.#updateMapping();
  }

  // The processor's side.

  /** A maskable interrupt waits whose priority is above the processor's. */
  hasInterrupt(): boolean {
    if (this.#extInt && this.#acceptsExtInt) return true;
    return this.#deliverable() >= 0;
  }

  /** Takes the interrupt into service and yields its vector; undefined when none waits any more. */
  acknowledge(): number | undefined {
    const vector = this.#deliverable();
    if (vector >= 0) {
      this.#irr.remove(vector);
      this.#isr.add(vector);
      return vector;
    }
    return this.#extInt && this.#acceptsExtInt ? this.#parts.acknowledgeExtInt() : undefined;
  }

  /** CR8: bits 7..4 of the task priority. */
  get taskPriority(): number {
    return this.#tpr >>> 4;
  }

  set taskPriority(value: number) {
    this.#setTpr((value & 15) << 4);
  }

  /** IA32_APIC_BASE. Clearing the enable bit detaches the APIC; the window follows the base. */
  get apicBase(): bigint {
    return this.#apicBase;
  }

  setApicBase(value: bigint): void {
    const wasEnabled = this.#hardwareEnabled;
    this.#apicBase = value;
    if (wasEnabled && !this.#hardwareEnabled) this.#resetRegisters();
    this.#updateMapping();
    this.#parts.changed();
  }

  // Wires and messages.

  setExtInt(level: boolean): void {
    if (this.#extInt === level) return;
    this.#extInt = level;
    if (level && this.#hardwareEnabled && !this.#acceptsExtInt) this.#lint0Edge();
    this.#parts.changed();
  }

  /** An interrupt message on the bus. `levelTriggered` ones are reported back by `broadcastEoi` when the guest ends them. */
  deliver(mode: number, vector: number, levelTriggered: boolean): void {
    switch (mode) {
      case DELIVERY.FIXED:
      case DELIVERY.LOWEST:
        this.#accept(vector, levelTriggered);
        break;
      case DELIVERY.NMI:
        this.#parts.nmi();
        break;
      // SMI, INIT and start-up are for machines with system management mode or more processors; ExtINT is a wire here.
    }
  }

  /** MSI (SDM 3A 11.11): destination in address bits 19..12, vector and mode in the data. */
  send(address: bigint, data: number): void {
    if (address >> 20n !== BigInt(LAPIC_BASE >>> 20)) return;
    const destination = Number((address >> 12n) & 0xffn);
    const logical = (address & 4n) !== 0n;
    if (this.matches(destination, logical)) this.deliver((data >>> 8) & 7, data & 0xff, (data & 0x8000) !== 0);
  }

  /** Whether a destination field names this processor. */
  matches(destination: number, logical: boolean): boolean {
    if (destination === 0xff) return true;
    if (!logical) return destination === this.#id;
    const own = this.#ldr >>> 24;
    if (this.#dfr >>> 28 === 0xf) return (destination & own) !== 0;
    return destination >>> 4 === own >>> 4 && (destination & own & 15) !== 0;
  }

  // Device.

  reset(): void {
    this.#apicBase = RESET_APIC_BASE;
    this.#id = 0;
    this.#resetRegisters();
    this.#updateMapping();
    this.#parts.changed();
  }

  save(): LapicState {
    return {
      apicBase: this.#apicBase,
      id: this.#id,
      tpr: this.#tpr,
      ldr: this.#ldr,
      dfr: this.#dfr,
      svr: this.#svr,
      esr: this.#esr,
      esrLatched: this.#esrLatched,
      icrLow: this.#icrLow,
      icrHigh: this.#icrHigh,
      lvt: LVT_OFFSETS.map((offset) => this.#lvtEntry(offset)),
      irr: [...this.#irr.words],
      isr: [...this.#isr.words],
      tmr: [...this.#tmr.words],
      extInt: this.#extInt,
      timer: this.#timer.save(),
    };
  }

  restore(state: LapicState): void {
    this.#apicBase = state.apicBase;
    this.#id = state.id & 0xff;
    this.#tpr = state.tpr;
    this.#ldr = (state.ldr & 0xff000000) >>> 0;
    this.#dfr = (state.dfr | 0x0fffffff) >>> 0;
    this.#svr = state.svr & 0x1ff;
    this.#esr = state.esr;
    this.#esrLatched = state.esrLatched;
    this.#icrLow = state.icrLow & ICR.WRITABLE;
    this.#icrHigh = state.icrHigh;
    for (const [index, offset] of LVT_OFFSETS.entries()) {
      this.#lvt.set(offset, (state.lvt[index] ?? LVT.MASKED) & (LVT_WRITABLE.get(offset) ?? 0));
    }
    this.#irr.words.set(state.irr);
    this.#isr.words.set(state.isr);
    this.#tmr.words.set(state.tmr);
    this.#extInt = state.extInt;
    this.#timer.restore(state.timer, this.#lvtEntry(LAPIC.LVT_TIMER));
    this.#updateMapping();
    this.#parts.changed();
  }

  dispose(): void {
    this.#mapping?.unmap();
    this.#timer.dispose();
  }

  // Registers.

  #read(offset: number, size: AccessSize): number {
    const value = this.#readRegister(offset & 0xff0);
    return size === 4 ? value : value >>> ((offset & 3) * 8);
  }

  #readRegister(offset: number): number {
    if (offset >= LAPIC.ISR && offset < LAPIC.ESR) {
      const set = offset < LAPIC.TMR ? this.#isr : offset < LAPIC.IRR ? this.#tmr : this.#irr;
      return set.words[(offset >>> 4) & 7] ?? 0;
    }
    if (LVT_WRITABLE.has(offset)) return this.#lvtEntry(offset);
    switch (offset) {
      case LAPIC.ID:
        return (this.#id << 24) >>> 0;
      case LAPIC.VERSION:
        return LAPIC_VERSION;
      case LAPIC.TPR:
        return this.#tpr;
      case LAPIC.APR:
      case LAPIC.PPR:
        return this.#processorPriority();
      case LAPIC.LDR:
        return this.#ldr;
      case LAPIC.DFR:
        return this.#dfr;
      case LAPIC.SVR:
        return this.#svr;
      case LAPIC.ESR:
        return this.#esrLatched;
      case LAPIC.ICR_LOW:
        return this.#icrLow;
      case LAPIC.ICR_HIGH:
        return this.#icrHigh;
      case LAPIC.TIMER_INITIAL:
        return this.#timer.initial;
      case LAPIC.TIMER_CURRENT:
        return this.#timer.current;
      case LAPIC.TIMER_DIVIDE:
        return this.#timer.divide;
      case LAPIC.EOI:
      case LAPIC.REMOTE_READ:
        return 0;
      default:
        this.#error(ESR.ILLEGAL_REGISTER);
        return 0;
    }
  }

  #write(offset: number, size: AccessSize, value: number): void {
    // Registers are written as aligned doublewords; other accesses are undefined (SDM 3A 11.4.1) and do nothing here.
    if (size !== 4 || (offset & 15) !== 0) return;
    const lvtMask = LVT_WRITABLE.get(offset);
    if (lvtMask !== undefined) {
      this.#writeLvt(offset, value & lvtMask);
      return;
    }
    switch (offset) {
      case LAPIC.ID:
        this.#id = value >>> 24;
        break;
      case LAPIC.TPR:
        this.#setTpr(value & 0xff);
        break;
      case LAPIC.EOI:
        this.#endOfInterrupt();
        break;
      case LAPIC.LDR:
        this.#ldr = (value & 0xff000000) >>> 0;
        break;
      case LAPIC.DFR:
        this.#dfr = (value | 0x0fffffff) >>> 0;
        break;
      case LAPIC.SVR:
        this.#writeSvr(value & 0x1ff);
        break;
      case LAPIC.ESR:
        this.#esrLatched = this.#esr;
        this.#esr = 0;
        break;
      case LAPIC.ICR_LOW:
        this.#icrLow = value & ICR.WRITABLE;
        this.#sendIpi();
        break;
      case LAPIC.ICR_HIGH:
        this.#icrHigh = (value & 0xff000000) >>> 0;
        break;
      case LAPIC.TIMER_INITIAL:
        this.#timer.initial = value;
        break;
      case LAPIC.TIMER_DIVIDE:
        this.#timer.divide = value;
        break;
      case LAPIC.VERSION:
      case LAPIC.PPR:
      case LAPIC.APR:
      case LAPIC.REMOTE_READ:
      case LAPIC.TIMER_CURRENT:
        break;
      default:
        if (offset < LAPIC.ISR || offset >= LAPIC.ESR) this.#error(ESR.ILLEGAL_REGISTER);
    }
  }

  get #hardwareEnabled(): boolean {
    return (this.#apicBase & APIC_BASE_ENABLE) !== 0n;
  }

  get #softwareEnabled(): boolean {
    return (this.#svr & SVR_ENABLE) !== 0;
  }

  /** LINT0 passes the 8259's interrupts through: always when the APIC is off, else as ExtINT if not masked. */
  get #acceptsExtInt(): boolean {
    if (!this.#hardwareEnabled) return true;
    const lint0 = this.#lvtEntry(LAPIC.LVT_LINT0);
    return (lint0 & LVT.MASKED) === 0 && (lint0 & LVT.DELIVERY) >>> 8 === DELIVERY.EXTINT;
  }

  #lvtEntry(offset: number): number {
    return this.#lvt.get(offset) ?? LVT.MASKED;
  }

  #writeLvt(offset: number, value: number): void {
    // While software-disabled every entry is and stays masked.
    this.#lvt.set(offset, this.#softwareEnabled ? value : value | LVT.MASKED);
    if (offset === LAPIC.LVT_TIMER) this.#timer.setMode(value);
    if (offset === LAPIC.LVT_LINT0) this.#parts.changed();
  }

  #writeSvr(value: number): void {
    this.#svr = value;
    if (!this.#softwareEnabled) {
      for (const offset of LVT_OFFSETS) this.#lvt.set(offset, this.#lvtEntry(offset) | LVT.MASKED);
    }
    this.#parts.changed();
  }

  #resetRegisters(): void {
    this.#tpr = 0;
    this.#ldr = 0;
    this.#dfr = 0xffffffff;
    this.#svr = 0xff;
    this.#esr = 0;
    this.#esrLatched = 0;
    this.#icrLow = 0;
    this.#icrHigh = 0;
    for (const offset of LVT_OFFSETS) this.#lvt.set(offset, LVT.MASKED);
    this.#irr.clear();
    this.#isr.clear();
    this.#tmr.clear();
    this.#timer.reset();
  }

  #updateMapping(): void {
    this.#mapping?.unmap();
    this.#mapping = undefined;
    // Only the architectural place is decoded: elsewhere the window could cover RAM, which no guest wants.
    if (!this.#hardwareEnabled || (this.#apicBase & 0xfffffffff000n) !== BigInt(LAPIC_BASE)) return;
    this.#mapping = this.#parts.bus.mapMmio(LAPIC_BASE, LAPIC_BYTES, {
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
    });
  }

  // Priorities (SDM 3A 11.8.3).

  #processorPriority(): number {
    const inService = Math.max(0, this.#isr.highest());
    return this.#tpr >>> 4 >= inService >>> 4 ? this.#tpr : inService & 0xf0;
  }

  /** Highest waiting vector whose class is above the processor's priority class; -1 when there is none. */
  #deliverable(): number {
    if (!this.#hardwareEnabled || !this.#softwareEnabled) return -1;
    const vector = this.#irr.highest();
    return vector >= 0 && vector >>> 4 > this.#processorPriority() >>> 4 ? vector : -1;
  }

  #setTpr(value: number): void {
    this.#tpr = value;
    this.#parts.changed();
  }

  #accept(vector: number, levelTriggered: boolean): void {
    if (!this.#hardwareEnabled || !this.#softwareEnabled) return;
    if (vector < LOWEST_VECTOR) {
      this.#error(ESR.RECEIVE_ILLEGAL_VECTOR);
      return;
    }
    if (levelTriggered) this.#tmr.add(vector);
    else this.#tmr.remove(vector);
    this.#irr.add(vector);
    this.#parts.changed();
  }

  #endOfInterrupt(): void {
    const vector = this.#isr.highest();
    if (vector < 0) return;
    this.#isr.remove(vector);
    if (this.#tmr.has(vector)) this.#parts.broadcastEoi(vector);
    this.#parts.changed();
  }

  #fireLvt(offset: number): void {
    const entry = this.#lvtEntry(offset);
    if ((entry & LVT.MASKED) !== 0) return;
    const fixed = offset === LAPIC.LVT_TIMER || offset === LAPIC.LVT_ERROR;
    this.deliver(fixed ? DELIVERY.FIXED : (entry & LVT.DELIVERY) >>> 8, entry & LVT.VECTOR, false);
  }

  /** LINT0 programmed as anything but ExtINT acts on the edge of the 8259's output. */
  #lint0Edge(): void {
    this.#fireLvt(LAPIC.LVT_LINT0);
  }

  #sendIpi(): void {
    const mode = (this.#icrLow >>> 8) & 7;
    const vector = this.#icrLow & 0xff;
    const shorthand = (this.#icrLow >>> ICR.SHORTHAND_SHIFT) & 3;
    if ((mode === DELIVERY.FIXED || mode === DELIVERY.LOWEST) && vector < LOWEST_VECTOR) {
      this.#error(ESR.SEND_ILLEGAL_VECTOR);
      return;
    }
    const toSelf =
      shorthand === SHORTHAND.SELF ||
      shorthand === SHORTHAND.ALL ||
      (shorthand === SHORTHAND.NONE && this.matches(this.#icrHigh >>> 24, (this.#icrLow & ICR.LOGICAL) !== 0));
    if (toSelf) this.deliver(mode, vector, false);
  }

  #error(bit: number): void {
    // An error while handling the error (its LVT vector is illegal) must not come back here for ever.
    const first = (this.#esr & bit) === 0;
    this.#esr |= bit;
    if (first) this.#fireLvt(LAPIC.LVT_ERROR);
  }
}
