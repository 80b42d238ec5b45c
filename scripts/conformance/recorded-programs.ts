// Random programs with the state that the real processor ended in: several instructions, loops and calls together (programs.ts), recorded by
// record.ts and replayed as translated blocks and compiled. One line of JSON each: code, input, output as in vector-format.ts, and the flags
// that are undefined where it ends.
import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { ARITHMETIC_FLAGS, compareOutcomes } from "./compare.ts";
import type { InterpreterSubject } from "./interpreter-subject.ts";
import type { NativeRunner } from "./native.ts";
import { makeProgram } from "./programs.ts";
import { Random } from "./random.ts";
import type { Replay } from "./replay.ts";
import {
  applyDelta,
  background,
  type Delta,
  decodeOutcome,
  difference,
  encodeOutcome,
  SLOT_ADDRESS,
} from "./vector-format.ts";

const FILE = new URL("../../tests/conformance/programs.jsonl.gz", import.meta.url);
const COUNT = 300;

type ProgramRecord = readonly [code: string, input: Delta, output: Delta, undefinedFlags: number];

/** @returns the bytes of the file. */
export function recordPrograms(runner: NativeRunner): number {
  const random = new Random("programs");
  const programs = Array.from({ length: COUNT }, () => makeProgram(random));
  const outcomes = runner.run(programs.map(({ code, input }) => ({ mode: "64" as const, code, input })));
  const lines = programs.map(({ code, input, undefinedAt }, n) => {
    const outcome = outcomes[n] as (typeof outcomes)[number];
    const ignored = undefinedAt.get(Number(outcome.rip - SLOT_ADDRESS)) ?? ARITHMETIC_FLAGS;
    const record: ProgramRecord = [
      Buffer.from(code).toString("hex"),
      difference(background("64"), input),
      encodeOutcome("64", input, outcome, code.length),
      Number(ignored),
    ];
    return `${JSON.stringify(record)}\n`;
  });
  const file = gzipSync(lines.join(""), { level: 9 });
  writeFileSync(FILE, file);
  return file.length;
}

/** `subject`: one that runs blocks. */
export function replayPrograms(subject: InterpreterSubject): Replay {
  const records = gunzipSync(readFileSync(FILE))
    .toString("utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as ProgramRecord);
  const failures = records.flatMap(([code, input, output, undefinedFlags]) => {
    const bytes = Uint8Array.from(Buffer.from(code, "hex"));
    const before = applyDelta(background("64"), input);
    const expected = decodeOutcome("64", before, output, bytes.length);
    const atEnd = expected.rip === SLOT_ADDRESS + BigInt(bytes.length);
    const ignored = atEnd ? ARITHMETIC_FLAGS : BigInt(undefinedFlags);
    const differences = compareOutcomes(undefined, "64", expected, subject.run("64", bytes, before), ignored);
    return differences.length === 0 ? [] : [{ group: "program", code, differences }];
  });
  return { vectors: records.length, failures };
}
