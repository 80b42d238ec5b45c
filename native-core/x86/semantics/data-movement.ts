// MOV MOVZX MOVSX MOVSXD LEA XCHG CMOVcc SETcc XLAT CBW/CWDE/CDQE CWD/CDQ/CQO MOVNTI, and segment loads.
import type { ConditionCode, Size, Value } from "../../ir/nodes.ts";
import { VECTOR } from "../registers.ts";
import { type ArithmeticFlag, type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { SEGMENTS } from "../state-layout.ts";
import { conditionFlags, conditionNames } from "./conditions.ts";
import { leaveToNext } from "./control-flow.ts";
import { GPR } from "./registers.ts";
import { checkedSource } from "./string-address.ts";

const move: Semantics = (i) => i.write(0, i.read(1));

/** Size in bytes of the second operand. */
function sourceSize(operand: { kind: string; size?: number }): Size {
  return (operand.size ?? 8) as Size;
}

const moveSigned: Semantics = (i) => i.write(0, i.signExtend(i.read(1), sourceSize(i.operand(1) as { kind: string })));

const loadAddress: Semantics = (i) => i.write(0, i.effectiveAddress());

/** Implicitly locked with memory; the store comes before the register write because it may fault. */
const exchange: Semantics = (i) => {
  const a = i.readForWrite(0);
  const b = i.read(1);
  i.write(0, b);
  i.write(1, a);
};

/** A 32-bit destination is zero-extended and a memory source is read whatever the condition (SDM 2A, CMOVcc). */
const moveIf = (code: ConditionCode): Semantics => {
  return (i) => {
    const source = i.read(1);
    i.write(0, i.select(i.condition(code), source, i.read(0)));
  };
};

const setIf = (code: ConditionCode): Semantics => {
  return (i) => i.write(0, i.widen(i.condition(code)));
};

const convert: Semantics = (i) => {
  const half = (i.size / 2) as Size;
  i.writeGeneral(GPR.RAX, i.signExtend(i.readGeneral(GPR.RAX, half), half));
};

const convertDouble: Semantics = (i) => {
  const value = i.signExtend(i.readGeneral(GPR.RAX));
  i.writeGeneral(GPR.RDX, i.shrS(value, i.i64(63)));
};

const translateByte: Semantics = (i) => {
  const offset = i.add(i.readGeneral(GPR.RBX, 8), i.readGeneral(GPR.RAX, 1));
  i.writeGeneral(GPR.RAX, i.load(1, checkedSource(i, offset, 1)), 1);
};

/** A register destination takes the selector zero-extended, memory 16 bits. */
/** Segment registers 6 and 7 do not exist. */
const moveFromSegment: Semantics = (i) => {
  i.if(i.ltU(i.i64(5), i.field("reg")), () => i.raise(6));
  i.write(0, i.readSegment("fieldReg", "selector"));
};

/** CS and numbers without a register are #UD, before the operand is read. */
const moveToSegment: Semantics = (i) => {
  const segment = i.field("reg");
  i.if(i.eq(segment, i.i64(SEGMENTS.indexOf("cs"))), () => i.raise(VECTOR.UD));
  i.if(i.ltU(i.i64(SEGMENTS.length - 1), segment), () => i.raise(VECTOR.UD));
  i.callHelper("moveToSegment", [segment, i.read(1)]);
  leaveToNext(i);
};

/** LDS LES LFS LGS LSS: offset, then selector. The segment comes first because it may fault. */
function loadFarPointer(segment: number): Semantics {
  return (i) => {
    const address = i.address(1);
    const offset = i.load(i.size, address);
    const selector = i.load(2, i.add(address, i.i64(i.size)));
    i.callHelper("loadSegment", [i.i64(segment), selector]);
    i.write(0, offset);
    leaveToNext(i);
  };
}

function conditional(
  mnemonic: string,
  opcode: number,
  operands: string,
  semantics: (code: ConditionCode) => Semantics,
  traits: RowTraits,
): InstructionRow[] {
  return conditionNames.map((name, n) => {
    const reads: readonly ArithmeticFlag[] = conditionFlags(n as ConditionCode);
    const bytes = `0F ${(opcode + n).toString(16).toUpperCase()}`;
    return row(mnemonic + name, bytes, operands, semantics(n as ConditionCode), { ...traits, reads });
  });
}

const FAR_POINTER: RowTraits = { endsBlock: true, cold: true, system: true };
const segmentNumber = (name: (typeof SEGMENTS)[number]): number => SEGMENTS.indexOf(name);

const storeNonTemporal: Semantics = (i) => {
  const value: Value = i.read(1);
  i.write(0, value);
};

export const DATA_MOVEMENT_ROWS: readonly InstructionRow[] = [
  row("MOV", "88", "Eb,Gb", move),
  row("MOV", "89", "Ev,Gv", move),
  row("MOV", "8A", "Gb,Eb", move),
  row("MOV", "8B", "Gv,Ev", move),
  row("MOV", "A0", "AL,Ob", move),
  row("MOV", "A1", "rAX,Ov", move),
  row("MOV", "A2", "Ob,AL", move),
  row("MOV", "A3", "Ov,rAX", move),
  row("MOV", "B0+r", "Zb,Ib", move),
  row("MOV", "B8+r", "Zv,Iv", move),
  row("MOV", "C6 /0", "Eb,Ib", move),
  row("MOV", "C7 /0", "Ev,Iz", move),
  row("MOV", "8C", "Rv/Mw,Sw", moveFromSegment, { cold: true }),
  row("MOV", "8E", "Sw,Ew", moveToSegment, { endsBlock: true, cold: true, system: true }),
  row("MOVZX", "0F B6", "Gv,Eb", move),
  row("MOVZX", "0F B7", "Gv,Ew", move),
  row("MOVSX", "0F BE", "Gv,Eb", moveSigned),
  row("MOVSX", "0F BF", "Gv,Ew", moveSigned),
  row("MOVSXD", "63", "Gv,Ed", moveSigned, { mode: "64" }),
  row("LEA", "8D", "Gv,M", loadAddress, { addressing: "offset" }),
  row("XCHG", "86", "Eb,Gb", exchange, { lockable: true }),
  row("XCHG", "87", "Ev,Gv", exchange, { lockable: true }),
  row("XCHG", "90+r", "Zv,rAX", exchange),
  row("MOVNTI", "NP 0F C3", "My,Gy", storeNonTemporal, { feature: "sse2" }),
  row("XLAT", "D7", "Xb", translateByte),
  row("CBW", "98", "", convert, { sized: true }),
  row("CWD", "99", "", convertDouble, { sized: true }),
  row("LES", "C4", "Gv,M", loadFarPointer(segmentNumber("es")), { ...FAR_POINTER, mode: "legacy" }),
  row("LDS", "C5", "Gv,M", loadFarPointer(segmentNumber("ds")), { ...FAR_POINTER, mode: "legacy" }),
  row("LSS", "0F B2", "Gv,M", loadFarPointer(segmentNumber("ss")), FAR_POINTER),
  row("LFS", "0F B4", "Gv,M", loadFarPointer(segmentNumber("fs")), FAR_POINTER),
  row("LGS", "0F B5", "Gv,M", loadFarPointer(segmentNumber("gs")), FAR_POINTER),
  ...conditional("CMOV", 0x40, "Gv,Ev", moveIf, { feature: "cmov" }),
  ...conditional("SET", 0x90, "Eb", setIf, {}),
];
