// The local APIC of a processor (SDM 3A chapter 10): in xAPIC mode behind MMIO at 0xFEE00000, in x2APIC mode behind MSRs.
//
// Interrupts arrive as messages (I/O APIC, MSI, IPIs, LVT entries), wait in IRR, and go to the processor by priority class.
// The 8259 pair comes in through LINT0 as ExtINT ("virtual wire", MP specification 3.6.2.2); with the APIC switched off by
// IA32_APIC_BASE it drives the processor's INTR pin directly.
import type { z } from "zod";
import type { AccessSize, Device, VirtualClock } from "../device.ts";
import { BROADCAST_32, type InterruptBus, type InterruptReceiver, type LapicWindow } from "./interrupt-bus.ts";
import { InterruptQueue } from "./interrupt-queue.ts";
import { type LapicState, lapicStateSchema } from "./lapic-state.ts";
import { isReadableX2apic, LVT_OFFSETS, LVT_WRITABLE, X2APIC_WRITABLE } from "./register-access.ts";
import {
  APIC_BASE_ENABLE,
  APIC_BASE_EXTENDED,
  DELIVERY,
  ESR,
  ICR,
  LAPIC,
  LAPIC_BASE,
  LAPIC_VERSION,
  LVT,
  SHORTHAND,
  SVR_ENABLE,
} from "./registers.ts";
import { LapicTimer } from "./timer.ts";

const LOWEST_VECTOR = 16;
const RESET_APIC_BASE = 0xfee00800n;
/** IA32_APIC_BASE.BSP, of the first processor. */
const BOOTSTRAP = 0x100n;

/** Lines from the local APIC to its processor. */
export interface LapicProcessor {
  /** What `hasInterrupt` says may have changed. */
  interruptChanged(): void;
  requestNmi(): void;
  requestInit(): void;
  requestStartup(page: number): void;
}

export interface LapicParts {
  /** Number of the processor: its initial APIC id. */
  index: number;
  messages: InterruptBus;
  clock: VirtualClock;
  processor: LapicProcessor;
  /** End of a level-triggered interrupt: goes to the IOAPIC. */
  broadcastEoi(vector: number): void;
  /** INTA cycle of the 8259 pair. */
  acknowledgeExtInt(): number;
}

export class Lapic implements Device<LapicState>, InterruptReceiver {
  readonly name: string;
  readonly stateVersion = 2;
  readonly stateSchema: z.ZodType<LapicState> = lapicStateSchema;
  readonly #parts: LapicParts;
  readonly #timer: LapicTimer;
  readonly #queue = new InterruptQueue();
  readonly #lvt = new Map<number, number>();
  readonly #mmio: LapicWindow = {
    read: (offset, size) => this.#read(offset, size),
    write: (offset, size, value) => this.#write(offset, size, value),
  };
  #apicBase: bigint;
  #id: number;
  #ldr = 0;
  #dfr = 0xffffffff;
  #svr = 0xff;
  #esr = 0;
  #esrLatched = 0;
  #icrLow = 0;
  #icrHigh = 0;
  /** Level of LINT0: the output of the 8259 pair. */
  #extInt = false;
  /** An ExtINT message of the I/O APIC waits. */
  #extIntMessage = false;

  constructor(parts: LapicParts) {
    this.#parts = parts;
    // The first one keeps the name it has in states of machines with one processor.
    this.name = parts.index === 0 ? "lapic" : `lapic${parts.index}`;
    this.#id = parts.index;
    this.#apicBase = this.#resetApicBase;
    this.#timer = new LapicTimer(parts.clock, () => this.#fireLvt(LAPIC.LVT_TIMER));
    this.#resetRegisters();
    parts.messages.attach(this);
  }

  // The processor's side.

  /** A maskable interrupt waits whose priority is above the processor's. */
  hasInterrupt(): boolean {
    if (this.#hasExtInt) return true;
    return this.#deliverable() >= 0;
  }

  /** Takes the interrupt into service and yields its vector; undefined when none waits any more. */
  acknowledge(): number | undefined {
    const vector = this.#deliverable();
    if (vector >= 0) {
      this.#queue.take(vector);
      return vector;
    }
    if (!this.#hasExtInt) return undefined;
    this.#extIntMessage = false;
    return this.#parts.acknowledgeExtInt();
  }

  get #hasExtInt(): boolean {
    return this.#extIntMessage || (this.#extInt && this.#acceptsExtInt);
  }

  /** CR8: bits 7..4 of the task priority. */
  get taskPriority(): number {
    return this.#queue.taskPriority >>> 4;
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
    // The id is read-only in x2APIC mode, and what it was at reset.
    if (this.#isX2apic) this.#id = this.#parts.index;
    this.#changed();
  }

  // Wires and messages.

  setExtInt(level: boolean): void {
    if (this.#extInt === level) return;
    this.#extInt = level;
    if (level && this.#hardwareEnabled && !this.#acceptsExtInt) this.#lint0Edge();
    this.#changed();
  }

  /** An interrupt message on the bus. `levelTriggered` ones are reported back by `broadcastEoi` when the guest ends them. */
  deliver(mode: number, vector: number, levelTriggered: boolean): void {
    switch (mode) {
      case DELIVERY.FIXED:
      case DELIVERY.LOWEST:
        this.#accept(vector, levelTriggered);
        break;
      case DELIVERY.NMI:
        this.#parts.processor.requestNmi();
        break;
      case DELIVERY.INIT:
        // Everything but the id starts over (SDM 3A 10.4.7.3).
        this.#resetRegisters();
        this.#parts.processor.requestInit();
        break;
      case DELIVERY.STARTUP:
        this.#parts.processor.requestStartup(vector);
        break;
      case DELIVERY.EXTINT:
        if (!this.#hardwareEnabled || !this.#softwareEnabled) break;
        this.#extIntMessage = true;
        this.#changed();
        break;
      // SMI is for machines with system management mode.
    }
  }

  /** Whether a destination field names this processor (SDM 3A 10.6.2, 10.12.10). */
  matches(destination: number, logical: boolean, broadcast: number): boolean {
    if (!this.#hardwareEnabled) return false;
    if (destination === broadcast) return true;
    if (!logical) return destination === this.#id;
    const own = this.#logicalId;
    if (this.#isX2apic) return destination >>> 16 === own >>> 16 && (destination & own & 0xffff) !== 0;
    const short = own >>> 24;
    if (this.#dfr >>> 28 === 0xf) return (destination & short) !== 0;
    return destination >>> 4 === short >>> 4 && (destination & short & 15) !== 0;
  }

  get arbitrationPriority(): number | undefined {
    return this.#hardwareEnabled && this.#softwareEnabled ? this.#queue.processorPriority : undefined;
  }

  /** Only the architectural place is decoded: elsewhere the window could cover RAM, which no guest wants. */
  get window(): LapicWindow | undefined {
    const there = (this.#apicBase & 0xfffffffff000n) === BigInt(LAPIC_BASE);
    return this.#hardwareEnabled && !this.#isX2apic && there ? this.#mmio : undefined;
  }

  // MSRs.

  /** x2APIC registers by number 0..FFh (MSR 800h + n); undefined where there is none: #GP. */
  readX2apic(number: number): bigint | undefined {
    const offset = number << 4;
    if (!this.#isX2apic || !isReadableX2apic(offset)) return undefined;
    if (offset === LAPIC.ID) return BigInt(this.#id);
    if (offset === LAPIC.ICR_LOW) return (BigInt(this.#icrHigh) << 32n) | BigInt(this.#icrLow);
    return BigInt(this.#readRegister(offset) >>> 0);
  }

  /** False where a write is #GP: no such register, read-only, or reserved bits. */
  writeX2apic(number: number, value: bigint): boolean {
    const offset = number << 4;
    if (!this.#isX2apic) return false;
    if (offset === LAPIC.ICR_LOW) {
      if (value & 0xfff3_2000n) return false;
      this.#icrHigh = Number(value >> 32n);
      this.#icrLow = Number(value & 0xffff_ffffn) & ICR.WRITABLE;
      this.#sendIpi();
      return true;
    }
    const writable = X2APIC_WRITABLE.get(offset);
    if (writable === undefined || value & ~BigInt(writable)) return false;
    if (offset === LAPIC.SELF_IPI) this.#sendSelf(DELIVERY.FIXED, Number(value));
    else this.#write(offset, 4, Number(value));
    return true;
  }

  /** IA32_TSC_DEADLINE on the scale of the virtual clock; 0 disarms. Without effect in the other timer modes. */
  get deadlineNs(): bigint {
    return this.#timer.deadlineNs;
  }

  set deadlineNs(value: bigint) {
    this.#timer.deadlineNs = value;
  }

  // Device.

  reset(): void {
    this.#apicBase = this.#resetApicBase;
    this.#id = this.#parts.index;
    this.#resetRegisters();
    this.#changed();
  }

  save(): LapicState {
    return {
      apicBase: this.#apicBase,
      id: this.#id,
      ldr: this.#ldr,
      dfr: this.#dfr,
      svr: this.#svr,
      esr: this.#esr,
      esrLatched: this.#esrLatched,
      icrLow: this.#icrLow,
      icrHigh: this.#icrHigh,
      lvt: LVT_OFFSETS.map((offset) => this.#lvtEntry(offset)),
      ...this.#queue.save(),
      extInt: this.#extInt,
      extIntMessage: this.#extIntMessage,
      timer: this.#timer.save(),
      deadlineNs: this.#timer.deadlineNs,
    };
  }

  restore(state: LapicState): void {
    this.#apicBase = state.apicBase;
    this.#id = state.id & 0xff;
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
    this.#queue.restore(state);
    this.#extInt = state.extInt;
    this.#extIntMessage = state.extIntMessage;
    this.#timer.restore(state.timer, this.#lvtEntry(LAPIC.LVT_TIMER), state.deadlineNs);
    this.#changed();
  }

  dispose(): void {
    this.#timer.dispose();
  }

  // Registers.

  #read(offset: number, size: AccessSize): number {
    const value = this.#readRegister(offset & 0xff0);
    return size === 4 ? value : value >>> ((offset & 3) * 8);
  }

  #readRegister(offset: number): number {
    if (offset >= LAPIC.ISR && offset < LAPIC.ESR) return this.#queue.read(offset);
    if (LVT_WRITABLE.has(offset)) return this.#lvtEntry(offset);
    switch (offset) {
      case LAPIC.ID:
        return (this.#id << 24) >>> 0;
      case LAPIC.VERSION:
        return LAPIC_VERSION;
      case LAPIC.TPR:
        return this.#queue.taskPriority;
      case LAPIC.APR:
      case LAPIC.PPR:
        return this.#queue.processorPriority;
      case LAPIC.LDR:
        return this.#logicalId;
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

  get #isX2apic(): boolean {
    return (this.#apicBase & APIC_BASE_EXTENDED) !== 0n;
  }

  get #resetApicBase(): bigint {
    return this.#parts.index === 0 ? RESET_APIC_BASE | BOOTSTRAP : RESET_APIC_BASE;
  }

  /** LDR: in x2APIC mode it follows from the id, 16 processors to a cluster. */
  get #logicalId(): number {
    return this.#isX2apic ? ((this.#id >>> 4) << 16) | (1 << (this.#id & 15)) : this.#ldr;
  }

  #changed(): void {
    this.#parts.processor.interruptChanged();
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
    if (offset === LAPIC.LVT_LINT0) this.#changed();
  }

  #writeSvr(value: number): void {
    this.#svr = value;
    if (!this.#softwareEnabled) {
      for (const offset of LVT_OFFSETS) this.#lvt.set(offset, this.#lvtEntry(offset) | LVT.MASKED);
    }
    this.#changed();
  }

  #resetRegisters(): void {
    this.#ldr = 0;
    this.#dfr = 0xffffffff;
    this.#svr = 0xff;
    this.#esr = 0;
    this.#esrLatched = 0;
    this.#icrLow = 0;
    this.#icrHigh = 0;
    for (const offset of LVT_OFFSETS) this.#lvt.set(offset, LVT.MASKED);
    this.#queue.clear();
    this.#extIntMessage = false;
    this.#timer.reset();
  }

  /** The vector that goes to the processor next; -1 when there is none. */
  #deliverable(): number {
    return this.#hardwareEnabled && this.#softwareEnabled ? this.#queue.deliverable : -1;
  }

  #setTpr(value: number): void {
    this.#queue.taskPriority = value;
    this.#changed();
  }

  #accept(vector: number, levelTriggered: boolean): void {
    if (!this.#hardwareEnabled || !this.#softwareEnabled) return;
    if (vector < LOWEST_VECTOR) {
      this.#error(ESR.RECEIVE_ILLEGAL_VECTOR);
      return;
    }
    this.#queue.add(vector, levelTriggered);
    this.#changed();
  }

  #endOfInterrupt(): void {
    const ended = this.#queue.end();
    if (!ended) return;
    if (ended.levelTriggered) this.#parts.broadcastEoi(ended.vector);
    this.#changed();
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
    if ((mode === DELIVERY.FIXED || mode === DELIVERY.LOWEST) && vector < LOWEST_VECTOR) {
      this.#error(ESR.SEND_ILLEGAL_VECTOR);
      return;
    }
    // INIT level de-assert did something to processors before the Pentium 4.
    if (mode === DELIVERY.INIT && this.#icrLow & ICR.TRIGGER_LEVEL && !(this.#icrLow & ICR.LEVEL_ASSERT)) return;
    const { messages } = this.#parts;
    switch ((this.#icrLow >>> ICR.SHORTHAND_SHIFT) & 3) {
      case SHORTHAND.SELF:
        this.#sendSelf(mode, vector);
        break;
      case SHORTHAND.ALL:
        messages.broadcast(this, true, mode, vector);
        break;
      case SHORTHAND.OTHERS:
        messages.broadcast(this, false, mode, vector);
        break;
      default: {
        const logical = (this.#icrLow & ICR.LOGICAL) !== 0;
        const message = { logical, mode, vector, levelTriggered: false };
        if (this.#isX2apic) messages.route({ ...message, destination: this.#icrHigh }, BROADCAST_32);
        else messages.route({ ...message, destination: this.#icrHigh >>> 24 });
      }
    }
  }

  /** To self only fixed interrupts go (SDM 3A table 10-3). */
  #sendSelf(mode: number, vector: number): void {
    if (mode !== DELIVERY.FIXED) return;
    if (vector < LOWEST_VECTOR) this.#error(ESR.SEND_ILLEGAL_VECTOR);
    else this.#accept(vector, false);
  }

  #error(bit: number): void {
    // An error while handling the error (its LVT vector is illegal) must not come back here for ever.
    const first = (this.#esr & bit) === 0;
    this.#esr |= bit;
    if (first) this.#fireLvt(LAPIC.LVT_ERROR);
  }
}
