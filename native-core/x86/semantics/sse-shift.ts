// SSE2 shifts of packed lanes and of the whole register. Counts that reach the lane width shift everything out (or leave the sign).
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { immediate8, lanes, quad, SSE2, sseInstruction } from "./sse-common.ts";

type Shape = "i16x8" | "i32x4" | "i64x2";
const LANE_BITS: Record<Shape, number> = { i16x8: 16, i32x4: 32, i64x2: 64 };

const BYTE_INDICES = Array.from({ length: 16 }, (_, n) => n);

/** `count` is an i64 of any size. */
export function shiftLanes(
  i: InstructionBuilder,
  shape: Shape,
  kind: "shl" | "shr_u" | "shr_s",
  v: Value,
  count: Value,
): Value {
  const bits = LANE_BITS[shape];
  const inRange = i.ltU(count, i.i64(bits));
  if (kind === "shr_s") {
    return i.pure(`${shape}.shr_s`, [v, i.narrow(i.select(inRange, count, i.i64(bits - 1)))]);
  }
  const shifted = i.pure(`${shape}.${kind}`, [v, i.narrow(count)]);
  return i.pure("v128.and", [shifted, i.pure("i64x2.splat", [i.select(inRange, i.i64(-1), i.i64(0))])]);
}

/** Count in the low quadword of a vector or 16 bytes of memory. */
const byVector = (shape: Shape, kind: "shl" | "shr_u" | "shr_s"): Semantics =>
  sseInstruction((i) => {
    const count = quad(i, i.readVector(1, true), 0);
    i.writeVector(0, shiftLanes(i, shape, kind, i.readVector(0), count));
  });

const byImmediate = (shape: Shape, kind: "shl" | "shr_u" | "shr_s"): Semantics =>
  sseInstruction((i) => i.writeVector(0, shiftLanes(i, shape, kind, i.readVector(0), immediate8(i))));

/** Whole-register shift by bytes: byte n of the result is byte n - count or n + count; what is out of 0..15 is zero in a swizzle. */
const byBytes = (direction: "left" | "right"): Semantics =>
  sseInstruction((i) => {
    const count = immediate8(i);
    const atMost16 = i.select(i.ltU(count, i.i64(16)), count, i.i64(16));
    const offsets = i.pure("i8x16.splat", [i.narrow(atMost16)]);
    const name = direction === "left" ? "i8x16.sub" : "i8x16.add";
    const indices = i.pure(name, [lanes(i, 8, BYTE_INDICES), offsets]);
    i.writeVector(0, i.pure("i8x16.swizzle", [i.readVector(0), indices]));
  });

const family = (
  name: string,
  shape: Shape,
  kind: "shl" | "shr_u" | "shr_s",
  byRegister: string,
  group: string,
): InstructionRow[] => [
  row(name, `66 0F ${byRegister}`, "Vdq,Wdq", byVector(shape, kind), SSE2),
  row(name, `66 0F ${group}`, "Udq,Ib", byImmediate(shape, kind), SSE2),
];

export const SSE_SHIFT_ROWS: readonly InstructionRow[] = [
  ...family("PSRLW", "i16x8", "shr_u", "D1", "71 /2"),
  ...family("PSRAW", "i16x8", "shr_s", "E1", "71 /4"),
  ...family("PSLLW", "i16x8", "shl", "F1", "71 /6"),
  ...family("PSRLD", "i32x4", "shr_u", "D2", "72 /2"),
  ...family("PSRAD", "i32x4", "shr_s", "E2", "72 /4"),
  ...family("PSLLD", "i32x4", "shl", "F2", "72 /6"),
  ...family("PSRLQ", "i64x2", "shr_u", "D3", "73 /2"),
  ...family("PSLLQ", "i64x2", "shl", "F3", "73 /6"),
  row("PSRLDQ", "66 0F 73 /3", "Udq,Ib", byBytes("right"), SSE2),
  row("PSLLDQ", "66 0F 73 /7", "Udq,Ib", byBytes("left"), SSE2),
];
