// What all SSE rows share: the enable checks, immediate and lane helpers. Rows live in one sse-*.ts file per family.
import type { Size, Value } from "../../ir/nodes.ts";
import type { PureOpName } from "../../ir/ops.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { CR0, VECTOR } from "../registers.ts";
import type { RowTraits, Semantics } from "../row.ts";
import { STATE } from "../state-layout.ts";

export const SSE: RowTraits = { feature: "sse" };
export const SSE2: RowTraits = { feature: "sse2" };
export const SSE3: RowTraits = { feature: "sse3" };
export const SSSE3: RowTraits = { feature: "ssse3" };
export const SSE41: RowTraits = { feature: "sse4.1" };
export const SSE42: RowTraits = { feature: "sse4.2" };

/**
 * An SSE instruction: #UD if CR0.EM = 1 or CR4.OSFXSR = 0, #NM if CR0.TS = 1 (SDM 3A 13.1), before anything else happens. An AVX one: #UD
 * outside protected mode, if CR4.OSXSAVE = 0 or XCR0 lacks SSE or AVX; #NM as before (SDM 2A 2.4).
 */
export function sseInstruction(body: Semantics): Semantics {
  return (i) => {
    const blocked = i.readState(i.isVex ? STATE.avxBlocked : STATE.vectorBlocked);
    i.if(i.isNonZero(blocked), () => {
      i.if(
        i.eq(blocked, i.i64(CR0.TS)),
        () => i.raise(VECTOR.NM),
        () => i.raise(VECTOR.UD),
      );
    });
    i.eachHalf(() => body(i));
  };
}

/** destination = operation(destination, source), on whole vectors; a memory source must be aligned. */
export function vectorBinary(operation: (i: InstructionBuilder, a: Value, b: Value) => Value): Semantics {
  return sseInstruction((i) => {
    const source = i.readVector(1, true);
    i.writeVector(0, operation(i, i.readVector(0), source));
  });
}

const operations = new Map<PureOpName, Semantics>();

/** As `vectorBinary`, for what is one Wasm operation. The same function each time, so that forms are shared (PAND, ANDPS, ANDPD). */
export function vectorOperation(name: PureOpName): Semantics {
  let semantics = operations.get(name);
  if (!semantics) {
    semantics = vectorBinary((i, a, b) => i.pure(name, [a, b]));
    operations.set(name, semantics);
  }
  return semantics;
}

/** The imm8 of an instruction, zero-extended. */
export function immediate8(i: InstructionBuilder): Value {
  const immediate = i.and(i.field("imm"), i.i64(0xff));
  return i.immediateShift === 0 ? immediate : i.shrU(immediate, i.i64(i.immediateShift));
}

/** Size of general operand n. */
export function generalSize(i: InstructionBuilder, n: number): Size {
  const operand = i.operand(n);
  if (operand.kind === "general") return operand.size;
  if (operand.kind === "memory") return operand.size as Size;
  throw new Error(`operand ${n} is not a general register or memory`);
}

/** A v128 constant from its lanes, lowest first. */
export function lanes(i: InstructionBuilder, laneBits: 8 | 16 | 32 | 64, values: readonly (number | bigint)[]): Value {
  let constant = 0n;
  values.forEach((value, n) => {
    constant |= BigInt.asUintN(laneBits, BigInt(value)) << BigInt(n * laneBits);
  });
  return i.v128(constant);
}

/** i64 lane 0 (low) or 1 (high) of a vector. */
export function quad(i: InstructionBuilder, vector: Value, lane: 0 | 1): Value {
  return i.pure("i64x2.extract_lane", [vector], [lane]);
}

/** A vector from its two i64 halves. */
export function fromQuads(i: InstructionBuilder, low: Value, high: Value): Value {
  return i.pure("i64x2.replace_lane", [i.pure("i64x2.splat", [low]), high], [1]);
}

/** `low` zero-extended to a vector. */
export function zeroExtend(i: InstructionBuilder, low: Value): Value {
  return i.pure("i64x2.replace_lane", [i.v128(0n), low], [0]);
}

/** The low 8 bytes of `low` and the high 8 bytes of `high`. */
export function mergeHalves(i: InstructionBuilder, low: Value, high: Value): Value {
  return i.pure("i8x16.shuffle", [low, high], [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]);
}

/** Byte `imm8 + n` for byte n, saturated: indices for a swizzle that moves bytes down. */
export function indicesFrom(i: InstructionBuilder, start: Value): Value {
  return i.pure("i8x16.add_sat_u", [
    i.v128(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100n),
    i.pure("i8x16.splat", [i.narrow(start)]),
  ]);
}

/** All ones in each lane whose bit is set in `bits` (i64, one bit per lane from bit 0). */
export function lanesOfBits(i: InstructionBuilder, laneBits: 8 | 16 | 32 | 64, bits: Value): Value {
  const count = 128 / laneBits;
  const each = lanes(
    i,
    laneBits,
    Array.from({ length: count }, (_, n) => 1 << n),
  );
  const shape = ({ 8: "i8x16", 16: "i16x8", 32: "i32x4", 64: "i64x2" } as const)[laneBits];
  const all = shape === "i64x2" ? i.pure("i64x2.splat", [bits]) : i.pure(`${shape}.splat`, [i.narrow(bits)]);
  return i.pure(`${shape}.eq`, [i.pure("v128.and", [all, each]), each]);
}
