// Addresses of implicit memory operands: DS:rSI, ES:rDI, DS:[rBX+AL].
import type { Size, Value } from "../../ir/nodes.ts";
import { type InstructionBuilder, SEGMENT_DEFAULT } from "../instruction-builder.ts";
import { SEGMENTS } from "../state-layout.ts";
import { isOrdinaryAccess } from "./address.ts";

const ES = SEGMENTS.indexOf("es");

type Segment = number | "fieldReg";

/**
 * Linear address of `offset` in the source segment: DS unless overridden. In 64-bit mode only FS and GS have a base;
 * elsewhere the decoder puts the number of the segment in field `reg` whichever it is.
 */
export function sourceAddress(i: InstructionBuilder, offset: Value): Value {
  const inSegment = i.mask(offset, i.form.addressSize as Size);
  if (i.form.mode === "64") {
    return i.form.segment === SEGMENT_DEFAULT ? inSegment : i.add(i.readSegment("fieldReg", "base"), inSegment);
  }
  return i.mask(i.add(i.readSegment("fieldReg", "base"), inSegment), 4);
}

/** Linear address of `offset` in ES, which cannot be overridden. */
export function targetAddress(i: InstructionBuilder, offset: Value): Value {
  const inSegment = i.mask(offset, i.form.addressSize as Size);
  return i.form.mode === "64" ? inSegment : i.mask(i.add(i.readSegment(ES, "base"), inSegment), 4);
}

/** As `sourceAddress`, for reading `bytes`: outside 64-bit mode the segment's type and limit are checked. */
export function checkedSource(i: InstructionBuilder, offset: Value, bytes: number): Value {
  check(i, "fieldReg", offset, bytes, false);
  return sourceAddress(i, offset);
}

export function checkedTarget(i: InstructionBuilder, offset: Value, bytes: number, write: boolean): Value {
  check(i, ES, offset, bytes, write);
  return targetAddress(i, offset);
}

/** What is not an ordinary segment with the access inside its limit goes to a helper, which raises the exception if there is one. */
function check(i: InstructionBuilder, segment: Segment, start: Value, bytes: number, write: boolean): void {
  if (i.form.mode === "64") return;
  const offset = i.mask(start, i.form.addressSize as Size);
  i.if(i.pure("i32.eqz", [isOrdinaryAccess(i, segment, i.add(offset, i.i64(bytes - 1)), write)]), () => {
    const number = segment === "fieldReg" ? i.field("reg") : i.i64(segment);
    i.callHelper("checkSegmentAccess", [number, offset, i.i64(bytes), i.i64(write ? 1 : 0)]);
  });
}

/** i32: `bytes` (i64) from `offset` on, without wrapping at the address size, are an ordinary access to source or target. */
export function isPlainRun(i: InstructionBuilder, of: "source" | "target", offset: Value, bytes: Value): Value {
  if (i.form.addressSize === 8) return i.i32(1);
  const end = i.add(offset, bytes);
  const fits = i.pure("i64.le_u", [end, i.i64(1n << BigInt(i.form.addressSize * 8))]);
  if (i.form.mode === "64") return fits;
  const last = i.sub(end, i.i64(1));
  return i.pure("i32.and", [fits, isOrdinaryAccess(i, of === "source" ? "fieldReg" : ES, last, of === "target")]);
}
