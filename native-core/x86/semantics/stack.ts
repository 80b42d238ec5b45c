// The implicit stack, and PUSH POP PUSHA POPA PUSHF POPF ENTER LEAVE.
// In 64-bit mode the stack is flat and RSP has 64 bits; elsewhere SS has a base and SP or ESP wraps at its own width (SDM 1 6.2).
import type { Size, Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { SEGMENTS, STATE } from "../state-layout.ts";
import { isOrdinaryAccess } from "./address.ts";
import { GPR } from "./registers.ts";

const SS = SEGMENTS.indexOf("ss");

/** A stack pointer, wrapped to the width of the stack outside 64-bit mode. */
function wrap(i: InstructionBuilder, pointer: Value): Value {
  return i.form.mode === "64" ? pointer : i.and(pointer, i.readState(STATE.stackMask));
}

/** Linear address of `size` bytes at `pointer` in the stack segment, whose limit is checked outside 64-bit mode. */
function stackAddress(i: InstructionBuilder, pointer: Value, size: Size): Value {
  if (i.form.mode === "64") return pointer;
  const offset = wrap(i, pointer);
  const inside = isOrdinaryAccess(i, SS, i.add(offset, i.i64(size - 1)), true);
  i.if(i.pure("i32.eqz", [inside]), () =>
    i.callHelper("checkSegmentAccess", [i.i64(SS), offset, i.i64(size), i.i64(1)]),
  );
  return i.mask(i.add(i.readSegment(SS, "base"), offset), 4);
}

/** What RSP becomes when the stack pointer is `pointer`: with a 16-bit stack the bits above SP stay. */
function wholeStackPointer(i: InstructionBuilder, pointer: Value): Value {
  if (i.form.mode === "64") return pointer;
  const mask = i.readState(STATE.stackMask);
  const old = i.readGeneral(GPR.RSP, 4);
  return i.or(i.and(old, i.not(mask)), i.and(pointer, mask));
}

export function writeStackPointer(i: InstructionBuilder, pointer: Value): void {
  i.writeGeneral(GPR.RSP, wholeStackPointer(i, pointer), i.form.mode === "64" ? 8 : 4);
}

/** Stores first, so that a fault leaves RSP alone. */
export function push(i: InstructionBuilder, value: Value, size: Size = i.size): void {
  const pointer = i.sub(i.readGeneral(GPR.RSP, 8), i.i64(size));
  i.store(size, stackAddress(i, pointer, size), value);
  writeStackPointer(i, pointer);
}

/** The value at the top, `skip` bytes below it; RSP is left for `drop`. */
export function peek(i: InstructionBuilder, size: Size = i.size, skip = 0): Value {
  return i.load(size, stackAddress(i, i.add(i.readGeneral(GPR.RSP, 8), i.i64(skip)), size));
}

export function drop(i: InstructionBuilder, bytes: number | Value): void {
  const count = typeof bytes === "number" ? i.i64(bytes) : bytes;
  writeStackPointer(i, i.add(i.readGeneral(GPR.RSP, 8), count));
}

const pushOperand: Semantics = (i) => push(i, i.read(0));

const popOperand: Semantics = (i) => {
  const value = peek(i);
  if (i.isMemory(0)) {
    i.write(0, value);
    drop(i, i.size);
  } else {
    drop(i, i.size);
    i.write(0, value); // after RSP moved: POP RSP keeps what was popped
  }
};

/** Segment registers are pushed zero-extended to the operand size. */
const pushSegment: Semantics = (i) => {
  const segment = i.operand(0);
  if (segment.kind !== "constant") throw new Error("PUSH of a segment names it");
  push(i, i.readSegment(segment.value, "selector"));
};

const popSegment: Semantics = (i) => {
  const segment = i.read(0);
  // POP SS moves the old stack's pointer: the new segment may have another width.
  const pointer = wholeStackPointer(i, i.add(i.readGeneral(GPR.RSP, 8), i.i64(i.size)));
  const value = i.mask(peek(i, i.size), 2);
  i.callHelper("popSegment", [segment, value]);
  i.writeGeneral(GPR.RSP, pointer, i.form.mode === "64" ? 8 : 4);
  i.leave({ to: "next" });
};

const pushAll: Semantics = (i) => {
  const old = i.readGeneral(GPR.RSP, 8);
  for (let n = 0; n < 8; n++) {
    const value = n === GPR.RSP ? i.mask(old) : i.readGeneral(n);
    i.store(i.size, stackAddress(i, i.sub(old, i.i64((n + 1) * i.size)), i.size), value);
  }
  writeStackPointer(i, i.sub(old, i.i64(8 * i.size)));
};

const popAll: Semantics = (i) => {
  const values = Array.from({ length: 8 }, (_, n) => peek(i, i.size, (7 - n) * i.size));
  drop(i, 8 * i.size);
  values.forEach((value, n) => {
    if (n !== GPR.RSP) i.writeGeneral(n, value);
  });
};

/** Virtual-8086 mode with an IOPL below 3 lets PUSHF and POPF through only with CR4.VME: `otherwise` then. */
function ifRestricted(i: InstructionBuilder, otherwise: () => void): void {
  if (i.form.mode === "64") return;
  const flags = i.readState(STATE.systemFlags);
  const vm = i.and(flags, i.i64(VM));
  const below = i.ltU(i.and(flags, i.i64(IOPL)), i.i64(IOPL));
  i.if(i.pure("i32.and", [i.isNonZero(vm), below]), otherwise);
}

const AC = 0x4_0000;
const VM = 0x2_0000;
const RF = 0x1_0000;
const IOPL = 0x3000;
const IF = 0x200;
/** TF, DF, NT, AC and ID: every privilege level may change them. */
const FREE_FLAGS = 0x24_4500;

const pushFlags: Semantics = (i) => {
  const flags = i.and(i.readFlags(), i.i64(~(VM | RF)));
  if (i.form.mode === "64") return push(i, flags);
  const image = i.variable(flags);
  ifRestricted(i, () => i.set(image, i.callHelper("pushVirtualFlags", [i.i64(i.size)])));
  push(i, i.get(image));
};

/** What POPF of virtual-8086 code does where VIF stands for IF. */
function popVirtualFlags(i: InstructionBuilder): void {
  i.callHelper("requireVirtualFlags", [i.i64(i.size)]);
  const value = peek(i);
  const system = i.callHelper("popVirtualFlags", [value]);
  drop(i, i.size);
  i.writeArithmeticFlags(value);
  i.writeState(STATE.systemFlags, system);
  i.leave({ to: "next" });
}

/** IF changes only with CPL <= IOPL, IOPL only with CPL 0; VM stays, RF is cleared (SDM 2B, POPF). */
const popFlags: Semantics = (i) => {
  ifRestricted(i, () => popVirtualFlags(i));
  const value = peek(i);
  drop(i, i.size);
  const old = i.readState(STATE.systemFlags);
  const cpl = i.readState(STATE.cpl);
  const iopl = i.and(i.shrU(old, i.i64(12)), i.i64(3));
  const ioplBits = i.select(i.isZero(cpl), i.i64(IOPL), i.i64(0));
  const ifBit = i.select(i.ltU(iopl, cpl), i.i64(0), i.i64(IF));
  const writable = i.mask(i.or(i.or(i.i64(FREE_FLAGS), ioplBits), ifBit), i.size);
  const kept = i.and(i.and(old, i.not(writable)), i.i64(~RF));
  i.writeArithmeticFlags(value);
  i.writeState(STATE.systemFlags, i.or(kept, i.and(value, writable)));
  if (i.size > 2) i.if(i.isNonZero(i.and(value, i.i64(AC))), () => i.callHelper("alignmentFlagSet"));
  i.leave({ to: "next" });
};

/**
 * Nesting levels are rare: only level 0 is done in place. ENTER also faults if the final stack pointer could not be written (SDM 2A).
 */
const enter: Semantics = (i) => {
  const level = i.and(i.shrU(i.field("imm"), i.i64(16)), i.i64(31));
  const bytes = i.and(i.field("imm"), i.i64(0xffff));
  i.if(
    i.isNonZero(level),
    () => i.callHelper("enterNested", [i.i64(i.size), bytes, level]),
    () => {
      const frame = i.sub(i.readGeneral(GPR.RSP, 8), i.i64(i.size));
      i.store(i.size, stackAddress(i, frame, i.size), i.readGeneral(GPR.RBP));
      i.translate(stackAddress(i, i.sub(frame, bytes), 1), true);
      i.writeGeneral(GPR.RBP, wholeStackPointer(i, frame));
      writeStackPointer(i, i.sub(frame, bytes));
    },
  );
};

const leave: Semantics = (i) => {
  const frame = i.readGeneral(GPR.RBP, 8);
  const value = i.load(i.size, stackAddress(i, frame, i.size));
  writeStackPointer(i, i.add(frame, i.i64(i.size)));
  i.writeGeneral(GPR.RBP, value);
};

const STACK: RowTraits = { modal: true, size64: "d64" };
const LEGACY: RowTraits = { modal: true, sized: true, mode: "legacy" };
const POP_SEGMENT: RowTraits = { modal: true, sized: true, endsBlock: true, cold: true };

export const STACK_ROWS: readonly InstructionRow[] = [
  row("PUSH", "50+r", "Zv", pushOperand, STACK),
  row("POP", "58+r", "Zv", popOperand, STACK),
  row("PUSH", "68", "Iz", pushOperand, STACK),
  row("PUSH", "6A", "Ibs", pushOperand, STACK),
  row("PUSH", "FF /6", "Ev", pushOperand, STACK),
  row("POP", "8F /0", "Ev", popOperand, { ...STACK, popsFirst: true }),
  ...["ES", "CS", "SS", "DS"].map((name, n) =>
    row("PUSH", (0x06 + n * 8).toString(16).padStart(2, "0"), name, pushSegment, { ...LEGACY, cold: true }),
  ),
  row("POP", "07", "ES", popSegment, { ...POP_SEGMENT, mode: "legacy" }),
  row("POP", "17", "SS", popSegment, { ...POP_SEGMENT, mode: "legacy" }),
  row("POP", "1F", "DS", popSegment, { ...POP_SEGMENT, mode: "legacy" }),
  row("PUSH", "0F A0", "FS", pushSegment, { ...STACK, sized: true, cold: true }),
  row("PUSH", "0F A8", "GS", pushSegment, { ...STACK, sized: true, cold: true }),
  row("POP", "0F A1", "FS", popSegment, { ...POP_SEGMENT, size64: "d64" }),
  row("POP", "0F A9", "GS", popSegment, { ...POP_SEGMENT, size64: "d64" }),
  row("PUSHA", "60", "", pushAll, LEGACY),
  row("POPA", "61", "", popAll, LEGACY),
  row("PUSHF", "9C", "", pushFlags, { ...STACK, sized: true, reads: ["CF", "PF", "AF", "ZF", "SF", "OF"] }),
  row("POPF", "9D", "", popFlags, {
    ...STACK,
    sized: true,
    endsBlock: true,
    writes: ["CF", "PF", "AF", "ZF", "SF", "OF"],
  }),
  row("ENTER", "C8", "Iw,Ib", enter, { ...STACK, sized: true }),
  row("LEAVE", "C9", "", leave, { ...STACK, sized: true }),
];
