// Where registers are in memory 0, for a register named by a field of the operation or fixed.
import { unreachable } from "../../common/assert.ts";
import type { FieldName, RegisterFile, RegisterSelector, Size } from "../../ir/nodes.ts";
import { add32, type Code, eq32, get, i32, load, select, shl32, store } from "../../wasm/code.ts";
import type { Local } from "../../wasm/types.ts";
import { OPERATION_FIELDS } from "../../x86/operation.ts";
import {
  GPR_OFFSET,
  SEGMENT_FIELDS,
  SEGMENT_OFFSET,
  SEGMENT_STRIDE,
  STATE,
  VECTOR_OFFSET,
  VECTOR_STRIDE,
  X87_OFFSET,
  X87_STRIDE,
} from "../../x86/state-layout.ts";
import { LOADS, STORES } from "../mmu/access.ts";

const I32_LOADS = { u16: "i32.load16_u", u8: "i32.load8_u", i32: "i32.load", i64: "i32.load" } as const;
const I64_LOADS = { u16: "i64.load16_u", u8: "i64.load8_u", i32: "i64.load32_s", i64: "i64.load" } as const;

/** A field of the operation as i32 (truncated) or i64. */
export const field32 = (operation: Local, name: FieldName): Code =>
  load(I32_LOADS[OPERATION_FIELDS[name].type], get(operation), OPERATION_FIELDS[name].offset);
export const field64 = (operation: Local, name: FieldName): Code =>
  load(I64_LOADS[OPERATION_FIELDS[name].type], get(operation), OPERATION_FIELDS[name].offset);

interface Place {
  readonly address: Code;
  readonly offset: number;
}

/** CR0, CR2..CR4, CR8 and DR0..DR3, DR6, DR7 are not evenly spaced. */
function irregular(number: Code, exceptions: readonly (readonly [number, number])[], regular: number): Code {
  return exceptions.reduce(
    (rest, [register, offset]) => select(eq32(number, i32(register)), i32(offset), rest),
    add32(shl32(number, 3), i32(regular)),
  );
}

function placeOf(operation: Local, file: RegisterFile, selector: RegisterSelector): Place {
  const number: Code = selector.kind === "field" ? field32(operation, selector.field) : i32(selector.register);
  const strided = (offset: number, stride: number): Place =>
    selector.kind === "fixed"
      ? { address: i32(0), offset: offset + selector.register * stride }
      : { address: stride === 1 ? number : shl32(number, Math.log2(stride)), offset };
  switch (file) {
    case "general":
      return strided(GPR_OFFSET, 1);
    case "vector":
      return strided(VECTOR_OFFSET, VECTOR_STRIDE);
    case "x87":
      return strided(X87_OFFSET, X87_STRIDE);
    case "segment":
      return strided(SEGMENT_OFFSET + SEGMENT_FIELDS.selector.offset, SEGMENT_STRIDE);
    case "control":
      return {
        address: irregular(
          number,
          [
            [0, STATE.cr0.offset],
            [8, STATE.cr8.offset],
          ],
          STATE.cr2.offset - 16,
        ),
        offset: 0,
      };
    case "debug":
      return {
        address: irregular(
          number,
          [
            [6, STATE.dr6.offset],
            [7, STATE.dr7.offset],
          ],
          STATE.dr0.offset,
        ),
        offset: 0,
      };
    default:
      return unreachable(file);
  }
}

/** x87 registers: sign and exponent are behind the significand. */
const extraOffset = (file: RegisterFile, size: Size | 16, highPart: boolean): number =>
  (file === "x87" && size === 2 ? 8 : 0) + (highPart ? 16 : 0);

export function readRegister(
  operation: Local,
  file: RegisterFile,
  selector: RegisterSelector,
  size: Size | 16,
  highPart: boolean,
): Code {
  const { address, offset } = placeOf(operation, file, selector);
  const bytes = file === "segment" ? 2 : size;
  return load(bytes === 16 ? "v128.load" : LOADS[bytes], address, offset + extraOffset(file, size, highPart));
}

export function writeRegister(
  operation: Local,
  file: RegisterFile,
  selector: RegisterSelector,
  size: Size | 16,
  highPart: boolean,
  value: Code,
): Code {
  const { address, offset } = placeOf(operation, file, selector);
  // Writing 4 bytes of a general register clears the upper half; the value is zero-extended already.
  const bytes = file === "general" && size === 4 ? 8 : file === "segment" ? 2 : size;
  const name = bytes === 16 ? "v128.store" : STORES[bytes];
  return store(name, address, value, offset + extraOffset(file, size, highPart));
}

const SEGMENT_LOADS = { u16: "i64.load16_u", u32: "i64.load32_u", u64: "i64.load" } as const;

export function readSegment(operation: Local, segment: number | "fieldReg", part: keyof typeof SEGMENT_FIELDS): Code {
  const { offset, type } = SEGMENT_FIELDS[part];
  const address =
    segment === "fieldReg"
      ? shl32(field32(operation, "reg"), Math.log2(SEGMENT_STRIDE))
      : i32(segment * SEGMENT_STRIDE);
  return load(SEGMENT_LOADS[type], address, SEGMENT_OFFSET + offset);
}
