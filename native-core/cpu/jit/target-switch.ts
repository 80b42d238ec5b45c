// From a computed target to the way in the region that begins there: compares with the most frequent targets in turn; where there are
// many, a table finds the only one that is left to compare with.
import { brIf, type Code, eq64, get, i32, ne64, op, shrU32, sub32, when, wrap } from "../../wasm/code.ts";
import type { Local } from "../../wasm/types.ts";
import type { RegionWriter } from "./region-writer.ts";

export interface TargetWay {
  /** Offset of the target in the region. */
  readonly offset: number;
  readonly share: number;
  /** What is done there; it never falls through. */
  readonly go: Code;
}

/** Ways that are compared with in turn; a table costs as much as some compares. */
const MAX_IN_TURN = 4;
/** One that is as frequent is compared with before the table. */
const BEFORE_TABLE = 1 / 3;

/** `ways`: most frequent first. Falls through with a target that is none of theirs. */
export function writeTargetSwitch(region: RegionWriter, target: Local, ways: readonly TargetWay[]): void {
  const inTurn = ways.length > MAX_IN_TURN ? ways.filter(({ share }) => share >= BEFORE_TABLE) : ways;
  for (const { offset, go } of inTurn) when(eq64(get(target), region.ripAt(offset)), [go])(region.f);
  const rest = ways.slice(inTurn.length);
  if (rest.length > 0) writeTable(region, target, rest);
}

function writeTable(region: RegionWriter, target: Local, ways: readonly TargetWay[]): void {
  const { f, base } = region;
  const { multiplier, bits } = perfectHash(ways.map(({ offset }) => offset));
  const none = f.open("block");
  const labels = ways.map(() => f.open("block"));
  const table = new Array<typeof none>(1 << bits).fill(none);
  for (const [n, { offset }] of ways.entries()) table[hashOf(offset, multiplier, bits)] = labels[n] ?? none;
  const distance = sub32(wrap(get(target)), wrap(get(base)));
  shrU32(op("i32.mul", distance, i32(multiplier)), 32 - bits)(f);
  f.brTable([...table, none]);
  for (let n = ways.length - 1; n >= 0; n--) {
    const { offset, go } = ways[n] as TargetWay;
    f.close(labels[n] as typeof none);
    brIf(none, ne64(get(target), region.ripAt(offset)), false)(f);
    go(f);
  }
  f.close(none);
}

interface PerfectHash {
  readonly multiplier: number;
  readonly bits: number;
}

const hashOf = (offset: number, multiplier: number, bits: number): number =>
  Math.imul(offset, multiplier) >>> (32 - bits);

/** 2^32 divided by the golden ratio, made odd; its powers are tried in turn. */
const GOLDEN = 0x9e37_79b1 | 0;
const TRIALS = 64;

/** No two of the numbers, which differ from each other, have the same hash. The smallest such table that is found quickly. */
export function perfectHash(numbers: readonly number[]): PerfectHash {
  for (let bits = Math.ceil(Math.log2(numbers.length)); ; bits++) {
    let multiplier = 1;
    for (let n = 0; n < TRIALS; n++) {
      multiplier = Math.imul(multiplier, GOLDEN);
      if (new Set(numbers.map((number) => hashOf(number, multiplier, bits))).size === numbers.length)
        return { multiplier, bits };
    }
  }
}
