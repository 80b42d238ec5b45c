// Pseudo instructions that the decoder makes. Address operations compute an effective address that the fields of one operation cannot
// express (segment override, 16- and 32-bit addressing, legacy segments) into the pseudo register ADDRESS, which the instruction proper
// then uses as its base; both carry the same start and length. NEXT ends a block that ran into a limit; UD and GP raise at their address.
//
// Fields of an address operation: rm, index, scale, disp as in a memory operand; reg = segment; imm = bytes accessed and, above them,
// the mask that says whether they are written.
import type { Size, Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { PSEUDO_REGISTERS } from "../state-layout.ts";

function writeAddress(i: InstructionBuilder, address: Value): void {
  i.writeRegister("general", { kind: "fixed", register: PSEUDO_REGISTERS.ADDRESS }, 8, address);
}

const segmentBase = (i: InstructionBuilder): Value => i.readSegment("fieldReg", "base");

/**
 * Attributes of a segment that needs no closer look: present, writable expand-up data; for reads also readable non-conforming code.
 * Compared under a mask that the decoder puts into bits 15..8 of imm: SEGMENT_READ_MASK or SEGMENT_WRITE_MASK.
 */
const ORDINARY = 0x92;
export const SEGMENT_READ_MASK = 0x96;
export const SEGMENT_WRITE_MASK = 0x9e;

/** i32: the segment is an ordinary one and `last`, the offset of the last byte, within its limit. */
export function isOrdinaryAccess(
  i: InstructionBuilder,
  segment: number | "fieldReg",
  last: Value,
  write: boolean,
): Value {
  const mask = i.i64(write ? SEGMENT_WRITE_MASK : SEGMENT_READ_MASK);
  const type = i.eq(i.and(i.readSegment(segment, "attributes"), mask), i.i64(ORDINARY));
  return i.pure("i32.and", [type, i.pure("i64.le_u", [last, i.readSegment(segment, "limit")])]);
}

/**
 * Segment base added, type and limit checked (SDM 3A 5.3, 5.5). Whatever is not an ordinary segment with the access inside its limit
 * goes to a helper, which raises the exception if there is one.
 */
function segmented(i: InstructionBuilder, offset: Value): Value {
  const access = i.field("imm");
  const size = i.and(access, i.i64(0xff));
  const last = i.add(offset, i.sub(size, i.i64(1)));
  const beyond = i.ltU(i.readSegment("fieldReg", "limit"), last);
  const type = i.and(i.readSegment("fieldReg", "attributes"), i.shrU(access, i.i64(8)));
  i.if(i.pure("i32.or", [beyond, i.ne(type, i.i64(ORDINARY))]), () => {
    const write = i.widen(i.eq(i.shrU(access, i.i64(8)), i.i64(SEGMENT_WRITE_MASK)));
    i.callHelper("checkSegmentAccess", [i.field("reg"), offset, size, write]);
  });
  return i.mask(i.add(segmentBase(i), offset), 4);
}

const plain: Semantics = (i) => writeAddress(i, i.effectiveAddress());
const based: Semantics = (i) => writeAddress(i, i.add(segmentBase(i), i.effectiveAddress()));
const truncated = (size: Size): Semantics => {
  return (i) => writeAddress(i, i.mask(i.effectiveAddress(), size));
};
const truncatedBased: Semantics = (i) => writeAddress(i, i.add(segmentBase(i), i.mask(i.effectiveAddress(), 4)));
const inSegment = (size: Size): Semantics => {
  return (i) => writeAddress(i, segmented(i, i.mask(i.effectiveAddress(), size)));
};
const absolute: Semantics = (i) => writeAddress(i, i.field("imm64"));
const absoluteBased: Semantics = (i) => writeAddress(i, i.add(segmentBase(i), i.field("imm64")));

const fallThrough: Semantics = (i) => i.leave({ to: "next" });
const undefinedOpcode: Semantics = (i) => i.raise(6);
const tooLong: Semantics = (i) => i.raise(13, i.i64(0));

const END: RowTraits = { endsBlock: true };

export const PSEUDO_ROWS = {
  /** 64-bit addressing without segment. */
  ADDRESS64: row("ADDRESS64", "", "", plain),
  ADDRESS64_SEGMENT: row("ADDRESS64_SEGMENT", "", "", based),
  /** Offsets only: LEA, and 32-bit addressing in 64-bit code. */
  ADDRESS32: row("ADDRESS32", "", "", truncated(4)),
  ADDRESS16: row("ADDRESS16", "", "", truncated(2)),
  /** 32-bit addressing with FS or GS in 64-bit code. */
  ADDRESS32_SEGMENT: row("ADDRESS32_SEGMENT", "", "", truncatedBased),
  LEGACY32: row("LEGACY32", "", "", inSegment(4)),
  LEGACY16: row("LEGACY16", "", "", inSegment(2)),
  /** moffs with a 64-bit offset in disp and imm. */
  ABSOLUTE64: row("ABSOLUTE64", "", "", absolute),
  ABSOLUTE64_SEGMENT: row("ABSOLUTE64_SEGMENT", "", "", absoluteBased),
  NEXT: row("NEXT", "", "", fallThrough, END),
  UD: row("UD", "", "", undefinedOpcode, END),
  GP: row("GP", "", "", tooLong, END),
} as const satisfies Record<string, InstructionRow>;
