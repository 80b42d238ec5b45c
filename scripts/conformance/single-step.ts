// Runs SingleStepTests of the 8088, 8086, 80286 or 80386 in real mode from a folder of MOO or JSON files, compressed or not:
//
//   node scripts/conformance/single-step.ts FOLDER [--only REGEX] [--limit N] [--show N]
//
// Fails if a case differs for which there is no reason. Nothing of the suite is part of this project. What is left out and why: single-step/step-runner.ts. --limit: cases of each file;
// --show: differences of each file.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isStepFile, opcodeOf, readStepFile } from "./single-step/step-file.ts";
import { reasonToSkip, StepRunner } from "./single-step/step-runner.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: "." },
    limit: { type: "string", default: "500" },
    show: { type: "string", default: "1" },
  },
});
const [folder] = positionals;
if (folder === undefined) {
  process.stderr.write("usage: node scripts/conformance/single-step.ts FOLDER [--only REGEX] [--limit N] [--show N]\n");
  process.exit(2);
}

const runner = new StepRunner();
const explained = new Map<string, number>();
const skipped = new Map<string, string[]>();
let total = 0;
let failed = 0;
for (const file of readdirSync(folder).sort()) {
  if (!isStepFile(file) || !new RegExp(values.only).test(file)) continue;
  const { processor, tests: all } = readStepFile(join(folder, file));
  const reason = reasonToSkip(processor, opcodeOf(file));
  if (reason !== undefined) {
    skipped.set(reason, [...(skipped.get(reason) ?? []), opcodeOf(file)]);
    continue;
  }
  const tests = all.slice(0, Number(values.limit));
  let bad = 0;
  for (const test of tests) {
    const outcome = runner.run(processor, test);
    if (outcome === undefined) continue;
    total++;
    const { differences, reason: known } = outcome;
    if (differences.length === 0) continue;
    failed++;
    if (known !== undefined) {
      explained.set(known, (explained.get(known) ?? 0) + 1);
      continue;
    }
    if (bad++ >= Number(values.show)) continue;
    const exception = test.exception ? ` (exception ${test.exception.vector})` : "";
    console.log(
      `${file} ${test.name} [${Buffer.from(test.bytes).toString("hex")}]${exception}: ${differences.join(", ")}`,
    );
  }
  if (bad > 0) console.log(`    ${file}: ${bad} of ${tests.length} differ`);
}
for (const [reason, files] of skipped) console.log(`not run, ${reason}: ${files.join(" ")}`);
for (const [reason, times] of explained) console.log(`${times} differ: ${reason}`);
console.log(`${total - failed} of ${total} cases pass`);
process.exitCode = [...explained.values()].reduce((sum, times) => sum + times, 0) === failed ? 0 : 1;
