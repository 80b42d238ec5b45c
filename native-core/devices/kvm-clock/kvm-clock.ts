// kvmclock, the paravirtual clock of KVM (Linux Documentation/virt/kvm/x86/msr.rst and cpuid.rst): a page per vCPU tells the guest how to
// turn its time-stamp counter into nanoseconds since power-on. Linux, FreeBSD and OpenBSD use it.
//
// The counter stands still while the machine is paused, saved or asleep with its host; this clock does not. Whenever the machine finds
// that the host's wall clock has moved on without it, what the counter stands for moves on too, and the guest's date is right at once.
import { z } from "zod";
import type { Device, GuestMemory, Inputs, VirtualClock } from "../device.ts";
import { arrayOf, u64 } from "../state-schema.ts";

export const MSR_KVM_WALL_CLOCK_NEW = 0x4b56_4d00;
export const MSR_KVM_SYSTEM_TIME_NEW = 0x4b56_4d01;

/** In MSR_KVM_SYSTEM_TIME_NEW beside the address of the page. */
const ENABLE = 1n;

/** struct pvclock_vcpu_time_info. */
const TIME = {
  VERSION: 0,
  TSC_TIMESTAMP: 8,
  SYSTEM_TIME: 16,
  TSC_TO_SYSTEM_MUL: 24,
  TSC_SHIFT: 28,
  FLAGS: 29,
} as const;
const TIME_BYTES = 32;
/** struct pvclock_wall_clock. */
const WALL = { VERSION: 0, SECONDS: 4, NANOSECONDS: 8 } as const;
const WALL_BYTES = 12;

/** One tick is one nanosecond: (ticks << 1) * 2^31 / 2^32. */
const TSC_SHIFT = 1;
const TSC_TO_SYSTEM_MUL = 0x8000_0000;
const FLAG = {
  /** The counters of all vCPUs agree: one page serves all of them, also in user mode. */
  TSC_STABLE: 1,
  /** The guest stood still: its watchdogs are not to bark. The guest clears it. */
  GUEST_STOPPED: 2,
} as const;

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;
/** Less than this behind is left to add up: a pause of some milliseconds for a snapshot is no reason to move a guest's clock. */
const TOLERANCE_NS = 250_000_000n;
/** Guests count in 63 bits: what a wall clock that went mad adds up to stays below. */
const LONGEST_JUMP_NS = 1n << 60n;

const timeSpanNs = z.bigint().min(0n).max(LONGEST_JUMP_NS);
const stateSchema = z.strictObject({
  systemTime: z.array(u64).min(1).max(64),
  wallClock: u64,
  /** Time that passed outside while the machine stood still. */
  skippedNs: timeSpanNs,
  /** Of the host's wall clock when this one was 0, since 1970. */
  originNs: z
    .bigint()
    .min(-(1n << 80n))
    .max(1n << 80n),
});
export type KvmClockState = z.infer<typeof stateSchema>;

export interface KvmClockParts {
  memory: GuestMemory;
  clock: VirtualClock;
  inputs: Inputs;
  /** The time-stamp counter of each vCPU less `clock`: what the guest has added to it. */
  tscOffsets: readonly (() => bigint)[];
}

export class KvmClock implements Device<KvmClockState> {
  readonly name = "kvm-clock";
  readonly stateVersion = 1;
  readonly stateSchema: z.ZodType<KvmClockState>;
  /** Guests of states from before there was this clock do not know it. */
  readonly missingInOldStates = true;
  readonly #parts: KvmClockParts;
  readonly #systemTime: BigUint64Array;
  #wallClock = 0n;
  #skippedNs = 0n;
  #originNs = 0n;

  constructor(parts: KvmClockParts) {
    this.#parts = parts;
    this.#systemTime = new BigUint64Array(parts.tscOffsets.length);
    this.stateSchema = stateSchema.extend({ systemTime: arrayOf(u64, parts.tscOffsets.length) });
  }

  /** Undefined: not a register of this clock. */
  readMsr(vcpu: number, number: number): bigint | undefined {
    if (number === MSR_KVM_WALL_CLOCK_NEW) return this.#wallClock;
    if (number === MSR_KVM_SYSTEM_TIME_NEW) return this.#systemTime[vcpu];
    return undefined;
  }

  /** False: not a register of this clock. */
  writeMsr(vcpu: number, number: number, value: bigint): boolean {
    if (number === MSR_KVM_WALL_CLOCK_NEW) {
      this.#wallClock = value;
      this.#writeWallClock();
    } else if (number === MSR_KVM_SYSTEM_TIME_NEW) {
      this.#systemTime[vcpu] = value;
      this.#writeTime(vcpu, 0);
    } else return false;
    return true;
  }

  /** The guest wrote the time-stamp counter of a vCPU. */
  counterMoved(): void {
    this.#writeTimes(0);
  }

  /** Looks at the host's wall clock, and follows it if it went on without the machine. */
  catchUp(): void {
    const { inputs } = this.#parts;
    const behindNs = toNs(inputs.wallClockMs()) - this.#originNs - this.#nowNs();
    if (behindNs < -TOLERANCE_NS) {
      // The host's clock was set back. Guests' clocks never go back by themselves; from here on they go along again.
      this.#originNs += behindNs;
    } else if (behindNs > TOLERANCE_NS) {
      const room = LONGEST_JUMP_NS - this.#skippedNs;
      this.#skippedNs += behindNs < room ? behindNs : room;
      // Beyond that the origin gives way, or every look would find the same again.
      if (behindNs > room) this.#originNs += behindNs - room;
      this.#writeTimes(FLAG.GUEST_STOPPED);
    }
  }

  reset(): void {
    this.#systemTime.fill(0n);
    this.#wallClock = 0n;
    this.#skippedNs = 0n;
    this.#originNs = toNs(this.#parts.inputs.wallClockMs()) - this.#nowNs();
  }

  save(): KvmClockState {
    return {
      systemTime: [...this.#systemTime],
      wallClock: this.#wallClock,
      skippedNs: this.#skippedNs,
      originNs: this.#originNs,
    };
  }

  /** The pages are part of memory, and right until the next look at the wall clock. */
  restore(state: KvmClockState): void {
    this.#systemTime.set(state.systemTime);
    this.#wallClock = state.wallClock;
    this.#skippedNs = state.skippedNs;
    this.#originNs = state.originNs;
  }

  #nowNs(): bigint {
    return this.#parts.clock.nowNs() + this.#skippedNs;
  }

  #writeTimes(flags: number): void {
    for (let vcpu = 0; vcpu < this.#systemTime.length; vcpu++) this.#writeTime(vcpu, flags);
  }

  /** No vCPU runs meanwhile; the version changes all the same for those that were interrupted while they read. */
  #writeTime(vcpu: number, flags: number): void {
    const register = this.#systemTime[vcpu] ?? 0n;
    if ((register & ENABLE) === 0n) return;
    const { memory, clock, tscOffsets } = this.#parts;
    const address = this.#addressIn(register & ~ENABLE, TIME_BYTES);
    if (address === undefined) return;
    const first = tscOffsets[0]?.();
    const stable = tscOffsets.every((offset) => offset() === first);
    const bytes = new Uint8Array(TIME_BYTES);
    const view = new DataView(bytes.buffer);
    memory.read(address, bytes);
    view.setUint32(TIME.VERSION, (view.getUint32(TIME.VERSION, true) | 1) + 1, true);
    view.setBigUint64(TIME.TSC_TIMESTAMP, BigInt.asUintN(64, clock.nowNs() + (tscOffsets[vcpu]?.() ?? 0n)), true);
    view.setBigUint64(TIME.SYSTEM_TIME, BigInt.asUintN(64, this.#nowNs()), true);
    view.setUint32(TIME.TSC_TO_SYSTEM_MUL, TSC_TO_SYSTEM_MUL, true);
    view.setInt8(TIME.TSC_SHIFT, TSC_SHIFT);
    view.setUint8(TIME.FLAGS, flags | (stable ? FLAG.TSC_STABLE : 0));
    memory.write(address, bytes);
  }

  /** The date at which this clock was 0, which never changes but by jumps that this clock makes too. */
  #writeWallClock(): void {
    const { memory, inputs } = this.#parts;
    const address = this.#addressIn(this.#wallClock, WALL_BYTES);
    if (address === undefined) return;
    const bytes = new Uint8Array(WALL_BYTES);
    const view = new DataView(bytes.buffer);
    memory.read(address, bytes);
    const bootNs = toNs(inputs.wallClockMs()) - this.#nowNs();
    const positiveNs = bootNs > 0n ? bootNs : 0n;
    view.setUint32(WALL.VERSION, (view.getUint32(WALL.VERSION, true) | 1) + 1, true);
    view.setUint32(WALL.SECONDS, Number(BigInt.asUintN(32, positiveNs / NS_PER_SECOND)), true);
    view.setUint32(WALL.NANOSECONDS, Number(positiveNs % NS_PER_SECOND), true);
    memory.write(address, bytes);
  }

  /** Undefined for what does not lie in RAM: the guest gets no answer there. */
  #addressIn(address: bigint, length: number): number | undefined {
    const end = BigInt(this.#parts.memory.sizeBytes - length);
    return address <= end ? Number(address) : undefined;
  }
}

function toNs(ms: number): bigint {
  return BigInt(Math.round(ms)) * NS_PER_MS;
}
