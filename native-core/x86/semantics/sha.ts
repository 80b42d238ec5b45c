// SHA extensions: rounds and message schedule of SHA-1 and SHA-256 (FIPS 180-4; SDM 2B). Lane 3 of a vector holds the first word.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { immediate8, sseInstruction } from "./sse-common.ts";

/** destination = operation(destination, source). A memory source need not be aligned on the recorded processor (AMD). */
const unaligned = (operation: (i: InstructionBuilder, a: Value, b: Value) => Value): Semantics =>
  sseInstruction((i) => {
    const source = i.readVector(1);
    i.writeVector(0, operation(i, i.readVector(0), source));
  });

// --- words (i32) and vectors of words -----------------------------------------------------------------------------------------

const add = (i: InstructionBuilder, ...terms: Value[]): Value => terms.reduce((a, b) => i.pure("i32.add", [a, b]));
const xor = (i: InstructionBuilder, ...terms: Value[]): Value => terms.reduce((a, b) => i.pure("i32.xor", [a, b]));
const and = (i: InstructionBuilder, a: Value, b: Value): Value => i.pure("i32.and", [a, b]);
const rotateRight = (i: InstructionBuilder, a: Value, count: number): Value => i.pure("i32.rotr", [a, i.i32(count)]);
const rotateLeft = (i: InstructionBuilder, a: Value, count: number): Value => i.pure("i32.rotl", [a, i.i32(count)]);

const lane = (i: InstructionBuilder, vector: Value, n: number): Value => i.pure("i32x4.extract_lane", [vector], [n]);

function fromLanes(i: InstructionBuilder, values: readonly [Value, Value, Value, Value]): Value {
  return values.reduce((vector, value, n) => i.pure("i32x4.replace_lane", [vector, value], [n]), i.v128(0n));
}

const addLanes = (i: InstructionBuilder, a: Value, b: Value): Value => i.pure("i32x4.add", [a, b]);
const xorLanes = (i: InstructionBuilder, ...terms: Value[]): Value =>
  terms.reduce((a, b) => i.pure("v128.xor", [a, b]));
const shiftLanes = (i: InstructionBuilder, v: Value, count: number): Value => i.pure("i32x4.shr_u", [v, i.i32(count)]);

function rotateLanes(i: InstructionBuilder, v: Value, right: number): Value {
  return i.pure("v128.or", [shiftLanes(i, v, right), i.pure("i32x4.shl", [v, i.i32(32 - right)])]);
}

/** Words 0..3 of a, 4..7 of b. */
function pick(i: InstructionBuilder, a: Value, b: Value, words: readonly number[]): Value {
  const bytes = words.flatMap((word) => [0, 1, 2, 3].map((n) => word * 4 + n));
  return i.pure("i8x16.shuffle", [a, b], bytes);
}

// --- SHA-1 ------------------------------------------------------------------------------------------------------------------

const SHA1_CONSTANTS = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6] as const;

type Mix = (i: InstructionBuilder, b: Value, c: Value, d: Value) => Value;
const choose: Mix = (i, b, c, d) => xor(i, d, and(i, b, xor(i, c, d)));
const parity: Mix = (i, b, c, d) => xor(i, b, c, d);
const majority: Mix = (i, b, c, d) => xor(i, and(i, b, xor(i, c, d)), and(i, c, d));
const SHA1_MIXES: readonly Mix[] = [choose, parity, majority, parity];

function sha1Rounds(i: InstructionBuilder, state: Value, message: Value, group: number): Value {
  let [a, b, c, d] = [lane(i, state, 3), lane(i, state, 2), lane(i, state, 1), lane(i, state, 0)] as const;
  let e = i.i32(0); // already added to the first word
  for (const n of [3, 2, 1, 0]) {
    const mixed = (SHA1_MIXES[group] as Mix)(i, b, c, d);
    const next = add(i, mixed, rotateLeft(i, a, 5), lane(i, message, n), e, i.i32(SHA1_CONSTANTS[group] as number));
    [a, b, c, d, e] = [next, a, rotateLeft(i, b, 30), c, d];
  }
  return fromLanes(i, [d, c, b, a]);
}

const sha1FourRounds = sseInstruction((i) => {
  const message = i.readVector(1);
  const state = i.readVector(0);
  const group = i.and(immediate8(i), i.i64(3));
  const result = i.variable(state);
  const rounds = (n: number) => (): void => i.set(result, sha1Rounds(i, state, message, n));
  const isOdd = i.narrow(i.and(group, i.i64(1)));
  i.if(
    i.narrow(i.and(group, i.i64(2))),
    () => i.if(isOdd, rounds(3), rounds(2)),
    () => i.if(isOdd, rounds(1), rounds(0)),
  );
  i.writeVector(0, i.get(result));
});

/** The next E is A rotated, and is added to the first word of the source. */
const sha1NextE = unaligned((i, state, message) => {
  const e = rotateLeft(i, lane(i, state, 3), 30);
  return i.pure("i32x4.replace_lane", [message, add(i, lane(i, message, 3), e)], [3]);
});

const sha1Message1 = unaligned((i, a, b) => xorLanes(i, a, pick(i, a, b, [6, 7, 0, 1])));

/** The last word depends on the first of the result. */
const sha1Message2 = unaligned((i, a, b) => {
  const known = xorLanes(i, a, pick(i, b, i.v128(0n), [4, 0, 1, 2]));
  const rotated = rotateLanes(i, known, 31);
  const first = rotateLeft(i, lane(i, rotated, 3), 1);
  return i.pure("i32x4.replace_lane", [rotated, xor(i, lane(i, rotated, 0), first)], [0]);
});

// --- SHA-256 ----------------------------------------------------------------------------------------------------------------

/** The source holds A B E F, the destination C D G H; XMM0 holds two words with their constants added. */
const sha256Rounds = sseInstruction((i) => {
  const first = i.readVector(1);
  const second = i.readVector(0);
  const words = i.readRegister("vector", { kind: "fixed", register: 0 }, 16);
  let [a, b, e, f] = [lane(i, first, 3), lane(i, first, 2), lane(i, first, 1), lane(i, first, 0)] as const;
  let [c, d, g, h] = [lane(i, second, 3), lane(i, second, 2), lane(i, second, 1), lane(i, second, 0)] as const;
  for (const n of [0, 1]) {
    const sumE = xor(i, rotateRight(i, e, 6), rotateRight(i, e, 11), rotateRight(i, e, 25));
    const t1 = add(i, h, sumE, choose(i, e, f, g), lane(i, words, n));
    const sumA = xor(i, rotateRight(i, a, 2), rotateRight(i, a, 13), rotateRight(i, a, 22));
    const t2 = add(i, sumA, majority(i, a, b, c));
    [a, b, c, d, e, f, g, h] = [add(i, t1, t2), a, b, c, add(i, d, t1), e, f, g];
  }
  i.writeVector(0, fromLanes(i, [f, e, b, a]));
});

const sha256Message1 = unaligned((i, a, b) => {
  const next = pick(i, a, b, [1, 2, 3, 4]);
  const sigma = xorLanes(i, rotateLanes(i, next, 7), rotateLanes(i, next, 18), shiftLanes(i, next, 3));
  return addLanes(i, a, sigma);
});

/** Words 2 and 3 depend on words 0 and 1 of the result. */
const sha256Message2 = unaligned((i, a, b) => {
  const sigma = (v: Value): Value => xorLanes(i, rotateLanes(i, v, 17), rotateLanes(i, v, 19), shiftLanes(i, v, 10));
  const zero = i.v128(0n);
  const low = addLanes(i, a, sigma(pick(i, b, zero, [2, 3, 4, 4])));
  return addLanes(i, low, sigma(pick(i, low, zero, [4, 4, 0, 1])));
});

const SHA: RowTraits = { feature: "sha" };
const packed = (mnemonic: string, opcode: string, semantics: Semantics): InstructionRow =>
  row(mnemonic, `NP 0F 38 ${opcode}`, "Vdq,Wdq", semantics, SHA);

export const SHA_ROWS: readonly InstructionRow[] = [
  packed("SHA1NEXTE", "C8", sha1NextE),
  packed("SHA1MSG1", "C9", sha1Message1),
  packed("SHA1MSG2", "CA", sha1Message2),
  packed("SHA256RNDS2", "CB", sha256Rounds),
  packed("SHA256MSG1", "CC", sha256Message1),
  packed("SHA256MSG2", "CD", sha256Message2),
  row("SHA1RNDS4", "NP 0F 3A CC", "Vdq,Wdq,Ib", sha1FourRounds, SHA),
];
