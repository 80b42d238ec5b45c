// Code pieces that read and write the scalars of memory 0: CPU state slots and cells.
import type { StateSlot } from "../../ir/nodes.ts";
import {
  add64,
  and32,
  type Code,
  eq32,
  i32,
  load,
  ne32,
  op,
  or32,
  store,
  test32,
  when,
  wrap,
} from "../../wasm/code.ts";
import { STATE } from "../../x86/state-layout.ts";
import { ACCESS } from "./memory-layout.ts";

const LOAD = { u16: "i64.load16_u", u32: "i64.load32_u", u64: "i64.load" } as const;
const STORE = { u16: "i64.store16", u32: "i64.store32", u64: "i64.store" } as const;

/** A state slot as zero-extended i64. */
export const readSlot = (slot: StateSlot): Code => load(LOAD[slot.type], i32(0), slot.offset);
export const writeSlot = (slot: StateSlot, value: Code): Code => store(STORE[slot.type], i32(0), value, slot.offset);

/** The low 32 bits of a slot, as i32. */
export const readSlot32 = (slot: StateSlot): Code => load("i32.load", i32(0), slot.offset);
export const writeSlot32 = (slot: StateSlot, value: Code): Code => store("i32.store", i32(0), value, slot.offset);

export const readCell = (address: number): Code => load("i32.load", i32(0), address);
export const writeCell = (address: number, value: Code): Code => store("i32.store", i32(0), value, address);
export const readCell64 = (address: number): Code => load("i64.load", i32(0), address);
export const writeCell64 = (address: number, value: Code): Code => store("i64.store", i32(0), value, address);

/** Adds to a counter. */
export const addToCell64 = (address: number, value: Code): Code =>
  writeCell64(address, add64(readCell64(address), value));

/** Makes an exception pending. */
export const raise = (vector: number, errorCode?: Code): readonly Code[] => [
  writeSlot32(STATE.exceptionVector, i32(vector + 1)),
  writeSlot32(STATE.exceptionErrorCode, errorCode ?? i32(0)),
  writeSlot32(STATE.exceptionHasErrorCode, i32(errorCode ? 1 : 0)),
];

const RFLAGS_TF = 0x100;
const RFLAGS_IF = 0x200;

/** i32: whether an interrupt is to be taken now. TF as well: the vCPU then goes on in single steps. */
export const interruptible: Code = or32(
  and32(ne32(readSlot32(STATE.eventPending), i32(0)), ne32(test32(readSlot32(STATE.systemFlags), RFLAGS_IF), i32(0))),
  test32(readSlot32(STATE.systemFlags), RFLAGS_TF),
);

export const exceptionPending: Code = readSlot32(STATE.exceptionVector);

const RFLAGS_AC = 0x4_0000;
const CR0_AM = 0x4_0000;

/**
 * Runs `then` where user code has its accesses checked for alignment: EFLAGS.AC and CR0.AM, at CPL 3 (SDM 3A 6.15, interrupt 17). Such
 * accesses find nothing in the TLB, because nothing of theirs is kept there. `access` holds bits of ACCESS.
 */
export function ifAlignmentChecked(access: Code, ...then: readonly Code[]): Code {
  const isExplicit = eq32(and32(access, i32(ACCESS.user | ACCESS.fetch)), i32(ACCESS.user));
  return when(test32(readSlot32(STATE.systemFlags), RFLAGS_AC), [
    when(test32(readSlot32(STATE.cr0), CR0_AM), [when(isExplicit, then)]),
  ]);
}

/** i32: an operand of 2, 4 or 8 bytes that is not at a multiple of its size. Larger ones have rules of their own. */
export const isMisaligned = (linear: Code, size: Code): Code =>
  and32(op("i32.le_u", size, i32(8)), ne32(and32(wrap(linear), op("i32.sub", size, i32(1))), i32(0)));

/** #AC(0). */
export const raiseAlignmentCheck = (): readonly Code[] => raise(17, i32(0));
