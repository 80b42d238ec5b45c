// Small programs for tests of compiled code: how they are encoded, started and run to their end beside the interpreter.
import { expect } from "vitest";
import { readCounters } from "../../../native-core/cpu/counters.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";
import type { Lockstep } from "./lockstep.ts";
import { CODE, STACK } from "./long-mode.ts";

/** Blocks run some times before they are compiled, so that what they lead to is known. */
export const WARM = { threshold: 8, batch: 1 };

export const HLT = 0xf4;
export const RET = 0xc3;
export const INC_RAX = [0x48, 0xff, 0xc0];
export const INC_RDX = [0x48, 0xff, 0xc2];
export const DEC_RCX = [0x48, 0xff, 0xc9];

const PAGE_DIRECTORY = 0x3000;
const PAGE_TABLE = 0x8000;

export const int32 = (value: number): number[] => [
  value & 255,
  (value >> 8) & 255,
  (value >> 16) & 255,
  (value >> 24) & 255,
];
export const int64 = (value: number): number[] => [...int32(value), 0, 0, 0, 0];

/** At CODE, with these general registers and others zero. */
export function start(lockstep: Lockstep, registers: Readonly<Record<number, number>>): void {
  lockstep.set((state) => {
    for (let n = 0; n < 16; n++) state.setGeneral(n, BigInt(registers[n] ?? 0));
    state.setGeneral(4, BigInt(STACK));
    state.flags = 2n;
    state.set(STATE.rip, BigInt(CODE));
    state.setNumber(STATE.halted, 0);
  });
}

/** To the end, in runs of a length that ends them everywhere. */
export function finish(lockstep: Lockstep, what: string, length = 37, steps = 400): void {
  lockstep.run(length, steps, what);
  expect(lockstep.interpreter.state.getNumber(STATE.halted), `${what} comes to its end`).not.toBe(0);
}

/** Maps the first pages one by one; yields the address of the page table's entry for one of them. */
export function mapEachPage(lockstep: Lockstep, page: number): number {
  for (let n = 0; n < 0x40; n++) lockstep.write(PAGE_TABLE + n * 8, int64(n * 0x1000 + 3));
  lockstep.write(PAGE_DIRECTORY, int64(PAGE_TABLE + 3));
  for (const cpu of lockstep.both()) cpu.invalidateAll();
  return PAGE_TABLE + (page / 0x1000) * 8;
}

/** Ways of compiled code back to the dispatcher so far, for whatever reason. */
export function waysOut(lockstep: Lockstep): number {
  const { exits } = readCounters(new DataView(lockstep.compiled.state.bytes.buffer), undefined);
  return Object.values(exits).reduce((sum, count) => sum + count, 0);
}
