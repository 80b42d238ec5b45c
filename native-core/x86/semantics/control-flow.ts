// Branches, calls, returns, loops, software interrupts; SYSCALL and IRET are in privilege-change.ts.
import type { ConditionCode, Size, Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { VECTOR } from "../registers.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { SEGMENTS } from "../state-layout.ts";
import { conditionFlags, conditionNames } from "./conditions.ts";
import { GPR } from "./registers.ts";
import { drop, peek, push } from "./stack.ts";

const GENERAL_PROTECTION = 13;
const CS = SEGMENTS.indexOf("cs");

/** To the next instruction from an operation whose fields are in use, so that it cannot hold a block link. */
export function leaveToNext(i: InstructionBuilder): void {
  i.leave({ to: "indirect", target: i.nextRip() });
}

/** #GP(0) unless bits 63..47 of a computed branch target are equal (SDM 3A 3.3.7.1), or outside 64-bit code unless it is within CS. */
function requireTarget(i: InstructionBuilder, target: Value): void {
  if (i.form.mode !== "64") {
    i.if(i.ltU(i.readSegment(CS, "limit"), target), () => i.raise(GENERAL_PROTECTION, i.i64(0)));
    return;
  }
  const extended = i.shrS(i.shl(target, i.i64(16)), i.i64(16));
  i.if(i.ne(extended, target), () => i.raise(GENERAL_PROTECTION, i.i64(0)));
}

/** A 16-bit operand size truncates the target, which a direct branch cannot express. */
function branch(i: InstructionBuilder): void {
  if (i.size === 2) i.leave({ to: "indirect", target: i.relativeTarget() });
  else i.leave({ to: "relative" });
}

const jumpIf = (code: ConditionCode): Semantics => {
  return (i) => {
    i.if(
      i.condition(code),
      () => branch(i),
      () => i.leave({ to: "next" }),
    );
  };
};

const jumpIfCounterZero: Semantics = (i) => {
  i.if(
    i.isZero(i.readGeneral(GPR.RCX, i.form.addressSize as Size)),
    () => branch(i),
    () => i.leave({ to: "next" }),
  );
};

/** `zero`: LOOPE wants ZF set, LOOPNE clear; LOOP does not look. */
function loop(zero?: 0 | 1): Semantics {
  return (i) => {
    const size = i.form.addressSize as Size;
    const count = i.mask(i.sub(i.readGeneral(GPR.RCX, size), i.i64(1)), size);
    i.writeGeneral(GPR.RCX, count, size);
    let taken = i.isNonZero(count);
    if (zero !== undefined) taken = i.pure("i32.and", [taken, i.condition(zero ? 4 : 5)]);
    i.if(
      taken,
      () => branch(i),
      () => i.leave({ to: "next" }),
    );
  };
}

const jump: Semantics = (i) => branch(i);

const jumpIndirect: Semantics = (i) => {
  const target = i.read(0);
  requireTarget(i, target);
  i.leave({ to: "indirect", target });
};

const call: Semantics = (i) => {
  push(i, i.nextRip());
  branch(i);
};

const callIndirect: Semantics = (i) => {
  const target = i.read(0);
  requireTarget(i, target);
  push(i, i.nextRip());
  i.leave({ to: "indirect", target });
};

const returnNear: Semantics = (i) => {
  const target = peek(i);
  requireTarget(i, target);
  drop(i, i.size);
  i.leave({ to: "indirect", target });
};

const returnNearImmediate: Semantics = (i) => {
  const target = peek(i);
  requireTarget(i, target);
  drop(i, i.add(i.mask(i.field("imm"), 2), i.i64(i.size)));
  i.leave({ to: "indirect", target });
};

/** A far pointer from memory: offset, then selector. */
function farPointer(i: InstructionBuilder): readonly [selector: Value, offset: Value] {
  const address = i.address(0);
  const offset = i.load(i.size, address);
  return [i.load(2, i.add(address, i.i64(i.size))), offset];
}

/** ptr16:16 and ptr16:32: the offset in disp, the selector in imm. */
function farImmediate(i: InstructionBuilder): readonly [selector: Value, offset: Value] {
  return [i.mask(i.field("imm"), 2), i.mask(i.field("disp"))];
}

type FarPointer = (i: InstructionBuilder) => readonly [selector: Value, offset: Value];

function jumpFar(pointer: FarPointer): Semantics {
  return (i) => {
    const [selector, offset] = pointer(i);
    i.callHelper("jumpFar", [selector, offset, i.i64(i.size), i.nextRip()]);
    i.leave({ to: "state" });
  };
}

function callFar(pointer: FarPointer): Semantics {
  return (i) => {
    const [selector, offset] = pointer(i);
    i.callHelper("callFar", [selector, offset, i.i64(i.size), i.nextRip()]);
    i.leave({ to: "state" });
  };
}

const returnFar: Semantics = (i) => {
  i.callHelper("returnFar", [i.i64(i.size), i.i64(0)]);
  i.leave({ to: "state" });
};

const returnFarImmediate: Semantics = (i) => {
  i.callHelper("returnFar", [i.i64(i.size), i.mask(i.field("imm"), 2)]);
  i.leave({ to: "state" });
};

const softwareInterrupt: Semantics = (i) => {
  i.callHelper("softwareInterrupt", [i.read(0), i.nextRip()]);
  i.leave({ to: "state" });
};

/** INT3 and INTO ask virtual-8086 code for no IOPL, and are never redirected (SDM 3A 21.3). */
function deliverFixed(i: InstructionBuilder, vector: number): void {
  i.callHelper("fixedInterrupt", [i.i64(vector), i.nextRip()]);
  i.leave({ to: "state" });
}

const interruptBreakpoint: Semantics = (i) => deliverFixed(i, VECTOR.BP);

const interruptOnOverflow: Semantics = (i) => {
  i.if(
    i.readFlag("OF"),
    () => deliverFixed(i, VECTOR.OF),
    () => i.leave({ to: "next" }),
  );
};

/** INT1 is a trap that ignores the gate's privilege level (SDM 2A, INT1). */
const interruptDebug: Semantics = (i) => {
  i.callHelper("debugInterrupt", [i.nextRip()]);
  i.leave({ to: "state" });
};

const systemEnter: Semantics = (i) => {
  i.callHelper("systemEnter", []);
  i.leave({ to: "state" });
};

const systemExit: Semantics = (i) => {
  i.callHelper("systemExit", []);
  i.leave({ to: "state" });
};

const undefined_: Semantics = (i) => i.raise(6);

const NEAR: RowTraits = { endsBlock: true, size64: "f64" };
const FAR: RowTraits = { endsBlock: true, cold: true, system: true };
const COUNTED: RowTraits = { ...NEAR, addressSized: true };

function conditionalRows(): InstructionRow[] {
  return conditionNames.flatMap((name, n) => {
    const semantics = jumpIf(n as ConditionCode);
    const reads = conditionFlags(n as ConditionCode);
    const low = n.toString(16).toUpperCase();
    return [
      row(`J${name}`, `7${low}`, "Jb", semantics, { ...NEAR, reads }),
      row(`J${name}`, `0F 8${low}`, "Jz", semantics, { ...NEAR, reads }),
    ];
  });
}

export const CONTROL_FLOW_ROWS: readonly InstructionRow[] = [
  ...conditionalRows(),
  row("JMP", "E9", "Jz", jump, NEAR),
  row("JMP", "EB", "Jb", jump, NEAR),
  row("JMP", "FF /4", "Ev", jumpIndirect, NEAR),
  row("CALL", "E8", "Jz", call, NEAR),
  row("CALL", "FF /2", "Ev", callIndirect, NEAR),
  row("RET", "C3", "", returnNear, { ...NEAR, sized: true }),
  row("RET", "C2", "Iw", returnNearImmediate, { ...NEAR, sized: true }),
  row("LOOPNE", "E0", "Jb", loop(0), { ...COUNTED, reads: ["ZF"] }),
  row("LOOPE", "E1", "Jb", loop(1), { ...COUNTED, reads: ["ZF"] }),
  row("LOOP", "E2", "Jb", loop(), COUNTED),
  row("JCXZ", "E3", "Jb", jumpIfCounterZero, COUNTED),
  row("JMPF", "EA", "Ap", jumpFar(farImmediate), { ...FAR, mode: "legacy" }),
  row("CALLF", "9A", "Ap", callFar(farImmediate), { ...FAR, mode: "legacy" }),
  row("JMPF", "FF /5", "M", jumpFar(farPointer), { ...FAR, sized: true }),
  row("CALLF", "FF /3", "M", callFar(farPointer), { ...FAR, sized: true }),
  row("RETF", "CB", "", returnFar, { ...FAR, sized: true }),
  row("RETF", "CA", "Iw", returnFarImmediate, { ...FAR, sized: true }),
  row("INT3", "CC", "", interruptBreakpoint, FAR),
  row("INT", "CD", "Ib", softwareInterrupt, FAR),
  row("INTO", "CE", "", interruptOnOverflow, { ...FAR, mode: "legacy", reads: ["OF"] }),
  row("INT1", "F1", "", interruptDebug, FAR),
  row("SYSENTER", "0F 34", "", systemEnter, { ...FAR, feature: "sep" }),
  row("SYSEXIT", "0F 35", "", systemExit, { ...FAR, feature: "sep" }),
  row("UD2", "0F 0B", "", undefined_, FAR),
  row("UD1", "0F B9", "Gv,Ev", undefined_, { ...FAR, addressing: "unused" }),
  row("UD0", "0F FF", "Gv,Ev", undefined_, { ...FAR, addressing: "unused" }),
];
