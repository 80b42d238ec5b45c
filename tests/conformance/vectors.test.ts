// Every vector recorded from a real processor, replayed (scripts/conformance makes them). known-failures.json names the forms that are
// known to fail; it only shrinks: an entry that passes fails the test until it is removed.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ROWS } from "../../native-core/x86/rows.ts";
import { EvaluatorSubject } from "../../scripts/conformance/evaluator-subject.ts";
import { rowKey, skipReason } from "../../scripts/conformance/families.ts";
import { InterpreterSubject } from "../../scripts/conformance/interpreter-subject.ts";
import { replayPrograms } from "../../scripts/conformance/recorded-programs.ts";
import { type Failure, families, recordedRows, replay } from "../../scripts/conformance/replay.ts";
import type { Subject } from "../../scripts/conformance/subject.ts";

const SUBJECTS: readonly Subject[] = [
  new EvaluatorSubject(),
  new InterpreterSubject(),
  new InterpreterSubject("block"),
  new InterpreterSubject("jit"),
];
/** Compiling each vector takes its time. */
const TIMEOUT_MS = 60_000;
const known = JSON.parse(readFileSync(new URL("known-failures.json", import.meta.url), "utf8")) as Record<
  string,
  string[]
>;

/** One line per failing form. */
function summarize(failures: readonly Failure[]): string[] {
  const byGroup = Map.groupBy(failures, ({ group }) => group);
  return [...byGroup].map(
    ([group, cases]) => `${group}: ${cases.length}, as ${cases[0]?.code}: ${cases[0]?.differences.join("; ")}`,
  );
}

describe("the recorded vectors", () => {
  it("cover every instruction that user code can run", () => {
    const recorded = new Set(families().flatMap((family) => recordedRows(family)));
    const missing = ROWS.filter((row) => skipReason(row, row.mode ?? "64") === undefined && !recorded.has(rowKey(row)));
    expect(missing.map(rowKey)).toEqual([]);
  });
});

for (const subject of SUBJECTS) {
  describe(`${subject.name} against the recorded processor`, () => {
    const expected = new Set(known[subject.name] ?? []);
    const failing = new Set<string>();

    it.each(families())(
      "executes every %s vector as it did",
      (family) => {
        const { vectors, failures } = replay(family, subject);
        for (const { group } of failures) failing.add(group);
        expect(vectors).toBeGreaterThan(0);
        expect(summarize(failures.filter(({ group }) => !expected.has(group)))).toEqual([]);
      },
      TIMEOUT_MS,
    );

    it("fails every form that is listed as a known failure", () => {
      expect([...expected].filter((group) => !failing.has(group))).toEqual([]);
    });
  });
}

describe("the recorded programs of several instructions", () => {
  it.each(["block", "jit"] as const)(
    "end as on the processor, run as %s",
    (style) => {
      const { vectors, failures } = replayPrograms(new InterpreterSubject(style));
      expect(vectors).toBeGreaterThan(0);
      expect(summarize(failures)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
