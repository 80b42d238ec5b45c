// Code pieces that read and write the scalars of memory 0: CPU state slots and cells.
import type { StateSlot } from "../../ir/nodes.ts";
import { add64, and32, type Code, i32, load, ne32, or32, store, test32 } from "../../wasm/code.ts";
import { STATE } from "../../x86/state-layout.ts";

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
