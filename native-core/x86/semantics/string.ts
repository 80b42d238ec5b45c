// String instructions. A REP form writes rCX, rSI and rDI back at every step, so that a fault or an interrupt in the middle leaves
// a state from which the same instruction goes on (SDM 2B, REP).
//
// REP MOVS and REP STOS going upwards take whole runs within a page through host memory; Linux's memcpy and clear_page live on this.
// One execution does one run or up to ELEMENTS_PER_STEP elements and then starts the instruction over.
import type { Size, Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type ArithmeticFlag, type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { STATE } from "../state-layout.ts";
import { requirePort } from "./port.ts";
import { GPR } from "./registers.ts";
import { checkedSource, checkedTarget, isPlainRun, sourceAddress, targetAddress } from "./string-address.ts";

/** Bounds the time between two checks for interrupts. */
const ELEMENTS_PER_STEP = 256;
const DF = 0x400;
const TF = 0x100;
const PAGE_SIZE = 4096;

function addressSize(i: InstructionBuilder): Size {
  return i.form.addressSize as Size;
}

function readPointer(i: InstructionBuilder, register: number): Value {
  return i.readGeneral(register, addressSize(i));
}

function advance(i: InstructionBuilder, register: number, step: Value): void {
  i.writeGeneral(register, i.add(readPointer(i, register), step), addressSize(i));
}

/** Distance between elements: size, or -size with DF set. */
function stride(i: InstructionBuilder): Value {
  const down = i.isNonZero(i.and(i.readState(STATE.systemFlags), i.i64(DF)));
  return i.select(down, i.i64(-i.size), i.i64(i.size));
}

/** What one element does; `done` (i32) ends a REPE or REPNE loop. */
type Element = (i: InstructionBuilder, step: Value) => { readonly done?: Value };

/** i32: a trap may be due behind each round: single steps, or a breakpoint on data or ports. */
function oneByOne(i: InstructionBuilder): Value {
  const traced = i.and(i.readState(STATE.systemFlags), i.i64(TF));
  return i.isNonZero(i.or(traced, i.readState(STATE.debugArmed)));
}

/** Repeats `element` while rCX is not zero, a bounded number of times per execution. */
function repeatElements(i: InstructionBuilder, step: Value, element: Element): void {
  const budget = i.variable(i.select(oneByOne(i), i.i64(1), i.i64(ELEMENTS_PER_STEP)));
  const repeat = i.variable(i.i32(1));
  i.loop(() => {
    const { done } = element(i, step);
    const count = i.mask(i.sub(readPointer(i, GPR.RCX), i.i64(1)), addressSize(i));
    i.writeGeneral(GPR.RCX, count, addressSize(i));
    const left = i.sub(i.get(budget), i.i64(1));
    i.set(budget, left);
    const more = done ? i.pure("i32.and", [i.isNonZero(count), i.pure("i32.eqz", [done])]) : i.isNonZero(count);
    i.set(repeat, more);
    return i.pure("i32.and", [more, i.isNonZero(left)]);
  });
  i.if(i.get(repeat), () => i.leave({ to: "repeat" }));
}

/** `bulk` handles a run of several elements if it can and then leaves; otherwise the elements are done one by one. */
function string(element: Element, bulk?: (i: InstructionBuilder, count: Value) => void): Semantics {
  return (i) => {
    const step = stride(i);
    if (i.form.repeat === "none") {
      element(i, step);
      return;
    }
    const count = readPointer(i, GPR.RCX);
    i.if(i.isNonZero(count), () => {
      if (bulk) i.if(i.pure("i32.eqz", [oneByOne(i)]), () => bulk(i, count));
      repeatElements(i, step, element);
    });
  };
}

const move: Element = (i, step) => {
  const value = i.load(i.size, checkedSource(i, readPointer(i, GPR.RSI), i.size));
  i.store(i.size, checkedTarget(i, readPointer(i, GPR.RDI), i.size, true), value);
  advance(i, GPR.RSI, step);
  advance(i, GPR.RDI, step);
  return {};
};

const store: Element = (i, step) => {
  i.store(i.size, checkedTarget(i, readPointer(i, GPR.RDI), i.size, true), i.readGeneral(GPR.RAX));
  advance(i, GPR.RDI, step);
  return {};
};

const load: Element = (i, step) => {
  i.writeGeneral(GPR.RAX, i.load(i.size, checkedSource(i, readPointer(i, GPR.RSI), i.size)));
  advance(i, GPR.RSI, step);
  return {};
};

/** Ends REPE at the first difference, REPNE at the first match. */
function compareEnds(i: InstructionBuilder, a: Value, b: Value): Value {
  return i.form.repeat === "repne" ? i.eq(a, b) : i.ne(a, b);
}

const compare: Element = (i, step) => {
  const a = i.load(i.size, checkedSource(i, readPointer(i, GPR.RSI), i.size));
  const b = i.load(i.size, checkedTarget(i, readPointer(i, GPR.RDI), i.size, false));
  advance(i, GPR.RSI, step);
  advance(i, GPR.RDI, step);
  i.setFlags("sub", i.size, a, b, i.mask(i.sub(a, b)));
  return { done: compareEnds(i, a, b) };
};

const scan: Element = (i, step) => {
  const a = i.readGeneral(GPR.RAX);
  const b = i.load(i.size, checkedTarget(i, readPointer(i, GPR.RDI), i.size, false));
  advance(i, GPR.RDI, step);
  i.setFlags("sub", i.size, a, b, i.mask(i.sub(a, b)));
  return { done: compareEnds(i, a, b) };
};

/** The target is probed before the port is read, which may have side effects. */
const input: Element = (i, step) => {
  const target = checkedTarget(i, readPointer(i, GPR.RDI), i.size, true);
  requirePort(i, i.readGeneral(GPR.RDX, 2));
  i.translate(target, true);
  const value = i.callHelper("readPort", [i.readGeneral(GPR.RDX, 2), i.i64(i.size)]);
  i.store(i.size, target, value);
  advance(i, GPR.RDI, step);
  return {};
};

const output: Element = (i, step) => {
  requirePort(i, i.readGeneral(GPR.RDX, 2));
  const value = i.load(i.size, checkedSource(i, readPointer(i, GPR.RSI), i.size));
  i.callHelper("writePort", [i.readGeneral(GPR.RDX, 2), i.i64(i.size), value]);
  advance(i, GPR.RSI, step);
  return {};
};

/** How many whole elements lie between `address` and the end of its page. */
function elementsInPage(i: InstructionBuilder, address: Value): Value {
  const room = i.sub(i.i64(PAGE_SIZE), i.and(address, i.i64(PAGE_SIZE - 1)));
  return i.shrU(room, i.i64(31 - Math.clz32(i.size)));
}

function minimum(i: InstructionBuilder, a: Value, b: Value): Value {
  return i.select(i.ltU(a, b), a, b);
}

function upwards(i: InstructionBuilder): Value {
  return i.isZero(i.and(i.readState(STATE.systemFlags), i.i64(DF)));
}

const both = (i: InstructionBuilder, a: Value, b: Value): Value => i.pure("i32.and", [a, b]);
const isRam = (i: InstructionBuilder, host: Value): Value => i.pure("i32.ne", [host, i.i32(-1)]);

/** Accounts for `elements` done at once and starts the instruction over if more are left, else goes on behind it. */
function finishRun(i: InstructionBuilder, count: Value, elements: Value, registers: readonly number[]): void {
  const bytes = i.mul(elements, i.i64(i.size));
  for (const register of registers) advance(i, register, bytes);
  i.writeGeneral(GPR.RCX, i.sub(count, elements), addressSize(i));
  i.leave({ to: "repeat" });
}

/**
 * Copies up to the nearer page end. A target that starts inside the source run must replicate what it has just written, which a block
 * copy does not: then, and for MMIO, elements go one by one. Host addresses are compared, so aliased mappings count as well.
 */
const moveRun = (i: InstructionBuilder, count: Value): void => {
  const source = sourceAddress(i, readPointer(i, GPR.RSI));
  const target = targetAddress(i, readPointer(i, GPR.RDI));
  const elements = minimum(i, count, minimum(i, elementsInPage(i, source), elementsInPage(i, target)));
  const length = i.mul(elements, i.i64(i.size));
  const plain = both(
    i,
    isPlainRun(i, "source", readPointer(i, GPR.RSI), length),
    isPlainRun(i, "target", readPointer(i, GPR.RDI), length),
  );
  i.if(both(i, both(i, upwards(i), i.isNonZero(elements)), plain), () => {
    const from = i.translate(source, false);
    const to = i.translate(target, true);
    const bytes = i.narrow(length);
    const apart = i.pure("i32.ge_u", [i.pure("i32.sub", [to, from]), bytes]);
    i.if(both(i, both(i, isRam(i, from), isRam(i, to)), apart), () => {
      i.hostCopy(to, from, bytes);
      finishRun(i, count, elements, [GPR.RSI, GPR.RDI]);
    });
  });
};

/** Fills up to the page end if all bytes of the value are equal. */
const storeRun = (i: InstructionBuilder, count: Value): void => {
  const target = targetAddress(i, readPointer(i, GPR.RDI));
  const elements = minimum(i, count, elementsInPage(i, target));
  const byte = i.readGeneral(GPR.RAX, 1);
  const uniform = i.eq(i.mask(i.mul(byte, i.i64(0x0101_0101_0101_0101n))), i.readGeneral(GPR.RAX));
  const length = i.mul(elements, i.i64(i.size));
  const plain = both(i, uniform, isPlainRun(i, "target", readPointer(i, GPR.RDI), length));
  i.if(both(i, both(i, upwards(i), i.isNonZero(elements)), plain), () => {
    const to = i.translate(target, true);
    i.if(isRam(i, to), () => {
      i.hostFill(to, i.narrow(byte), i.narrow(length));
      finishRun(i, count, elements, [GPR.RDI]);
    });
  });
};

const REPEATABLE: RowTraits = { repeatable: true };
const ALL: readonly ArithmeticFlag[] = ["CF", "PF", "AF", "ZF", "SF", "OF"];
const COMPARES: RowTraits = { repeatable: true, writes: ALL };
const PORT: RowTraits = { repeatable: true, system: true, cold: true };

const MOVS = string(move, moveRun);
const STOS = string(store, storeRun);
const LODS = string(load);
const CMPS = string(compare);
const SCAS = string(scan);
const INS = string(input);
const OUTS = string(output);

export const STRING_ROWS: readonly InstructionRow[] = [
  row("MOVS", "A4", "Yb,Xb", MOVS, REPEATABLE),
  row("MOVS", "A5", "Yv,Xv", MOVS, REPEATABLE),
  row("CMPS", "A6", "Xb,Yb", CMPS, COMPARES),
  row("CMPS", "A7", "Xv,Yv", CMPS, COMPARES),
  row("STOS", "AA", "Yb", STOS, REPEATABLE),
  row("STOS", "AB", "Yv", STOS, REPEATABLE),
  row("LODS", "AC", "Xb", LODS, REPEATABLE),
  row("LODS", "AD", "Xv", LODS, REPEATABLE),
  row("SCAS", "AE", "Yb", SCAS, COMPARES),
  row("SCAS", "AF", "Yv", SCAS, COMPARES),
  row("INS", "6C", "Yb", INS, PORT),
  row("INS", "6D", "Yz", INS, PORT),
  row("OUTS", "6E", "Xb", OUTS, PORT),
  row("OUTS", "6F", "Xz", OUTS, PORT),
];
