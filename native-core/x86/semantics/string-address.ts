// Addresses of implicit memory operands: DS:rSI, ES:rDI, DS:[rBX+AL].
import type { Size, Value } from "../../ir/nodes.ts";
import { type InstructionBuilder, SEGMENT_DEFAULT } from "../instruction-builder.ts";
import { SEGMENTS } from "../state-layout.ts";

const ES = SEGMENTS.indexOf("es");

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
