// FMA: products that are added or subtracted with one rounding. The number in a mnemonic says which operands do what: 132 means
// operand 1 * operand 3 + operand 2. A routine does what is plain (ir/ops/fused.ts), helpers the rest, as for SSE floats (sse-float.ts).
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { lanes, quad, sseInstruction, zeroExtend } from "./sse-common.ts";
import {
  allLanes,
  and32,
  BYTES,
  defaultControl,
  type FloatType,
  noteInexact,
  packedHelper,
  quads,
  readMxcsr,
  SHAPE,
} from "./sse-float.ts";
import { derived, WHOLE } from "./vex.ts";

/** Operands of first factor, second factor and addend. */
const ORDERS = { "132": [0, 2, 1], "213": [1, 0, 2], "231": [1, 2, 0] } as const;
type Order = keyof typeof ORDERS;

/** Signs of the product and of the addend in even and odd lanes; helpers get them as bits 0 to 2. */
interface Signs {
  readonly product: boolean;
  readonly even: boolean;
  readonly odd: boolean;
}

const signMask = (i: InstructionBuilder, type: FloatType, even: boolean, odd: boolean): Value => {
  const sign = (negative: boolean): bigint => (negative ? 1n << (type === "f32" ? 31n : 63n) : 0n);
  const pair = [sign(even), sign(odd)];
  return type === "f32" ? lanes(i, 32, [...pair, ...pair]) : lanes(i, 64, pair);
};

function helperSigns({ product, even, odd }: Signs): number {
  return (product ? 1 : 0) | (even ? 2 : 0) | (odd ? 4 : 0);
}

/** The fused result of lanes, or what `otherwise` yields where one of them is not plain. */
function fuse(
  i: InstructionBuilder,
  type: FloatType,
  signs: Signs,
  [a, b, c]: readonly [Value, Value, Value],
  otherwise: () => Value,
): Value {
  const shape = SHAPE[type];
  const negated = (v: Value, even: boolean, odd: boolean): Value =>
    even || odd ? i.pure("v128.xor", [v, signMask(i, type, even, odd)]) : v;
  const operands = [negated(a, signs.product, signs.product), b, negated(c, signs.even, signs.odd)];
  const result = i.variable(i.pure(`${shape}.fused_multiply_add`, operands));
  const r = i.get(result);
  const mxcsr = readMxcsr(i);
  i.if(
    and32(i, defaultControl(i, mxcsr), allLanes(i, type, i.pure(`${shape}.eq`, [r, r]))),
    () => noteInexact(i, mxcsr, () => i.pure("v128.any_true", [i.pure(`${shape}.fused_inexact`, operands)])),
    () => i.set(result, otherwise()),
  );
  return i.get(result);
}

const packed = (type: FloatType, signs: Signs, order: Order): Semantics =>
  derived(
    sseInstruction((i) => {
      const third = i.readVector(2);
      const operands = [i.readVector(0), i.readVector(1), third] as const;
      const [a, b, c] = ORDERS[order].map((n) => operands[n]) as [Value, Value, Value];
      const result = fuse(i, type, signs, [a, b, c], () =>
        packedHelper(i, `fma_packed_${type}`, a, quads(i, b), ...quads(i, c), i.i64(helperSigns(signs))),
      );
      i.writeVector(0, result);
    }),
    WHOLE,
  );

const scalar = (type: FloatType, signs: Signs, order: Order): Semantics =>
  sseInstruction((i) => {
    const third = i.readScalar(2, BYTES[type]);
    const operands = [i.readScalar(0, BYTES[type]), i.readScalar(1, BYTES[type]), third] as const;
    const [a, b, c] = ORDERS[order].map((n) => operands[n]) as [Value, Value, Value];
    const vectors = [zeroExtend(i, a), zeroExtend(i, b), zeroExtend(i, c)] as const;
    const result = fuse(i, type, signs, vectors, () =>
      zeroExtend(i, i.callHelper(`fma_${type}`, [a, b, c, i.i64(helperSigns(signs))])),
    );
    i.writeScalar(0, BYTES[type], i.mask(quad(i, i.get(i.variable(result)), 0), BYTES[type]));
  });

const FMA = { feature: "fma" } as const;

function packedRows(name: string, order: Order, opcode: string, signs: Signs): InstructionRow[] {
  return (["f32", "f64"] as const).flatMap((type) => {
    const [suffix, w] = type === "f32" ? ["ps", "W0"] : ["pd", "W1"];
    const semantics = packed(type, signs, order);
    return ["128", "256"].map((length) =>
      row(
        `V${name}${order}${suffix.toUpperCase()}`,
        `VEX.${length}.66.0F38.${w} ${opcode}`,
        `V${suffix},H${suffix},W${suffix}`,
        semantics,
        FMA,
      ),
    );
  });
}

function scalarRows(name: string, order: Order, opcode: string, signs: Signs): InstructionRow[] {
  return (["f32", "f64"] as const).map((type) => {
    const [suffix, w] = type === "f32" ? ["ss", "W0"] : ["sd", "W1"];
    return row(
      `V${name}${order}${suffix.toUpperCase()}`,
      `VEX.LIG.66.0F38.${w} ${opcode}`,
      `V${suffix},H${suffix},W${suffix}`,
      scalar(type, signs, order),
      FMA,
    );
  });
}

const signs = (product: boolean, addend: boolean): Signs => ({ product, even: addend, odd: addend });

/** Name, low digit of the packed opcode (the scalar one is the next), signs. The high digit is that of the order. */
const OPERATIONS = [
  ["FMADD", 0x8, signs(false, false)],
  ["FMSUB", 0xa, signs(false, true)],
  ["FNMADD", 0xc, signs(true, false)],
  ["FNMSUB", 0xe, signs(true, true)],
] as const;
/** Packed only: even lanes are subtracted and odd ones added, or the other way round. */
const ALTERNATING = [
  ["FMADDSUB", 0x6, { product: false, even: true, odd: false }],
  ["FMSUBADD", 0x7, { product: false, even: false, odd: true }],
] as const;

export const FMA_ROWS: readonly InstructionRow[] = (["132", "213", "231"] as const).flatMap((order, n) => {
  const opcode = (low: number): string => (0x90 + n * 16 + low).toString(16).toUpperCase();
  return [
    ...ALTERNATING.flatMap(([name, low, which]) => packedRows(name, order, opcode(low), which)),
    ...OPERATIONS.flatMap(([name, low, which]) => [
      ...packedRows(name, order, opcode(low), which),
      ...scalarRows(name, order, opcode(low + 1), which),
    ]),
  ];
});
