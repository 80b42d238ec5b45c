// Replays a family of vectors on a subject and says which forms fail.
import { readdirSync, readFileSync } from "node:fs";
import type { InstructionRow } from "../../native-core/x86/row.ts";
import { ROWS } from "../../native-core/x86/rows.ts";
import { ARITHMETIC_FLAGS, compareOutcomes } from "./compare.ts";
import { rowKey } from "./families.ts";
import type { Subject } from "./subject.ts";
import { applyDelta, background, decodeOutcome, slotOffset, unpackGroups, type VectorGroup } from "./vector-format.ts";

const VECTORS = new URL("../../tests/conformance/vectors/", import.meta.url);
const SUFFIX = ".jsonl.gz";

export interface Failure {
  /** Row and mode: the key of known failures. */
  readonly group: string;
  /** Hexadecimal code. */
  readonly code: string;
  readonly differences: readonly string[];
}

export interface Replay {
  readonly vectors: number;
  readonly failures: readonly Failure[];
}

export function families(): string[] {
  return readdirSync(VECTORS)
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .sort();
}

const rowsByKey = new Map<string, InstructionRow>(ROWS.map((row) => [rowKey(row), row]));

function groupsOf(family: string): VectorGroup[] {
  return unpackGroups(readFileSync(new URL(family + SUFFIX, VECTORS)));
}

/** Keys of the rows that have vectors (families.ts). */
export function recordedRows(family: string): string[] {
  return groupsOf(family).map(({ row }) => row);
}

/** Vectors of each row, by its key, in all modes. */
export function vectorCounts(family: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { row, vectors } of groupsOf(family)) counts.set(row, (counts.get(row) ?? 0) + vectors.length);
  return counts;
}

export function replay(family: string, subject: Subject): Replay {
  const failures: Failure[] = [];
  let vectors = 0;
  for (const { row: key, mode, vectors: records } of groupsOf(family)) {
    const row = rowsByKey.get(key);
    const base = background(mode);
    for (const [code, input, output] of records) {
      vectors++;
      const bytes = Uint8Array.from(Buffer.from(code, "hex"));
      const before = applyDelta(base, input);
      const expected = decodeOutcome(mode, before, output, bytes.length);
      const next = slotOffset(mode) + BigInt(bytes.length);
      const ignored = subject.losesFlags && !expected.fault && expected.rip === next ? ARITHMETIC_FLAGS : 0n;
      const differences = compareOutcomes(row, mode, expected, subject.run(mode, bytes, before), ignored);
      if (differences.length > 0) failures.push({ group: `${mode} ${key}`, code, differences });
    }
  }
  return { vectors, failures };
}
