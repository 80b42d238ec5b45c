// What DR0..DR3 and DR7 ask for (SDM 3B 18.2): breakpoints on instructions, on data and on ports.
import { CR4 } from "../x86/registers.ts";
import { STATE } from "../x86/state-layout.ts";
import type { CpuState } from "./cpu-state.ts";

/** DR6: task switch, single step, access to debug registers, and the breakpoints that were hit in bits 3..0. */
export const DR6 = { HITS: 0xfn, BD: 0x2000n, BS: 0x4000n, BT: 0x8000n } as const;
/** What an instruction leaves to be trapped before the one it leads to: SYSRET with TF, and a switch to a task that is to be trapped. */
export const DEFERRED_TRAPS = DR6.BS | DR6.BT;
/** DR7: general detect. */
export const DR7_GD = 0x2000n;

/** Bits of STATE.debugArmed: kinds of breakpoints that are enabled. */
export const ARMED = { instruction: 1, data: 2, port: 4 } as const;

/** Bits 17..16 of DR7 for breakpoint 0. */
const CONDITION = { execute: 0, write: 1, port: 2, access: 3 } as const;
const LENGTHS = [1n, 2n, 8n, 4n] as const;
const ADDRESSES = [STATE.dr0, STATE.dr1, STATE.dr2, STATE.dr3] as const;

interface Breakpoint {
  readonly bit: number;
  readonly condition: number;
  readonly address: bigint;
  readonly length: bigint;
}

function* enabled(state: CpuState): Iterable<Breakpoint> {
  const dr7 = state.getNumber(STATE.dr7);
  for (const [n, slot] of ADDRESSES.entries()) {
    if (((dr7 >>> (n * 2)) & 3) === 0) continue;
    const condition = (dr7 >>> (16 + n * 4)) & 3;
    const length = LENGTHS[(dr7 >>> (18 + n * 4)) & 3] as bigint;
    // The address is aligned to the length.
    yield { bit: 1 << n, condition, address: state.get(slot) & ~(length - 1n), length };
  }
}

/** Sets STATE.debugArmed from DR7; to be called when DR7 or CR4.DE has changed. */
export function armBreakpoints(state: CpuState): void {
  let armed = 0;
  const ports = (state.getNumber(STATE.cr4) & CR4.DE) !== 0;
  for (const { condition } of enabled(state)) {
    if (condition === CONDITION.execute) armed |= ARMED.instruction;
    else if (condition !== CONDITION.port) armed |= ARMED.data;
    else if (ports) armed |= ARMED.port;
  }
  state.setNumber(STATE.debugArmed, armed);
}

/** Raises a trap of DEFERRED_TRAPS as soon as the instruction in hand is done. */
export function trapNext(state: CpuState, cause: bigint): void {
  state.setNumber(STATE.debugHits, state.getNumber(STATE.debugHits) | Number(cause));
  state.set(STATE.instructionDeadline, 0n);
}

const overlaps = ({ address, length }: Breakpoint, first: bigint, size: number): boolean =>
  first < address + length && address < first + BigInt(size);

/** Breakpoints hit, as bits 3..0 of DR6. */
export function instructionHits(state: CpuState, linear: bigint): number {
  let hits = 0;
  for (const breakpoint of enabled(state))
    if (breakpoint.condition === CONDITION.execute && breakpoint.address === linear) hits |= breakpoint.bit;
  return hits;
}

export function dataHits(state: CpuState, linear: bigint, size: number, write: boolean): number {
  let hits = 0;
  for (const breakpoint of enabled(state)) {
    const { condition } = breakpoint;
    const watches = condition === CONDITION.access || (condition === CONDITION.write && write);
    if (watches && overlaps(breakpoint, linear, size)) hits |= breakpoint.bit;
  }
  return hits;
}

export function portHits(state: CpuState, port: number, size: number): number {
  let hits = 0;
  for (const breakpoint of enabled(state))
    if (breakpoint.condition === CONDITION.port && overlaps(breakpoint, BigInt(port), size)) hits |= breakpoint.bit;
  return hits;
}

/** Whether the page of an address has a data breakpoint: its accesses must not become invisible behind the TLB. */
export function watchesPage(state: CpuState, linear: bigint): boolean {
  for (const { condition, address, length } of enabled(state)) {
    if (condition !== CONDITION.write && condition !== CONDITION.access) continue;
    const page = linear >> 12n;
    if (page === address >> 12n || page === (address + length - 1n) >> 12n) return true;
  }
  return false;
}
