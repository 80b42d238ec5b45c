// Compares with this machine's processor directly, without recording: many more cases than the vectors, from another seed each time.
//   node scripts/conformance/fuzz.ts [--count 500] [--seed text] [--style step|block|jit] [family ...]
import { parseArgs } from "node:util";
import { casesOf, formChoices, formMode } from "./cases.ts";
import { ARITHMETIC_FLAGS, compareOutcomes } from "./compare.ts";
import { FAMILIES, rowKey, skipReason } from "./families.ts";
import { InterpreterSubject } from "./interpreter-subject.ts";
import { NativeRunner } from "./native.ts";
import { background, difference, type Mode, slotOffset } from "./vector-format.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: "string", default: "500" },
    seed: { type: "string", default: new Date().toISOString() },
    style: { type: "string", default: "step" },
  },
});
const STYLES = ["step", "block", "jit"] as const;
const subject = new InterpreterSubject(STYLES.find((style) => style === values.style));
const runner = new NativeRunner();
const MODES: readonly Mode[] = ["64", "legacy", "16"];
let total = 0;
let failed = 0;

console.log(`seed ${values.seed}`);
for (const [family, rows] of Object.entries(FAMILIES)) {
  if (positionals.length > 0 && !positionals.includes(family)) continue;
  for (const mode of MODES) {
    for (const row of rows) {
      if (skipReason(row, mode) || (row.mode !== undefined && row.mode !== formMode(mode))) continue;
      for (const choice of formChoices(row, mode)) {
        const cases = casesOf(choice, Number(values.count), values.seed);
        const outcomes = runner.run(cases);
        let bad = 0;
        outcomes.forEach((expected, n) => {
          const one = cases[n] as (typeof cases)[number];
          const falls = !expected.fault && expected.rip === slotOffset(mode) + BigInt(one.code.length);
          const ignored = subject.losesFlags && falls ? ARITHMETIC_FLAGS : 0n;
          const differences = compareOutcomes(row, mode, expected, subject.run(mode, one.code, one.input), ignored);
          if (differences.length === 0) return;
          if (bad++ < 2) {
            const code = Buffer.from(one.code).toString("hex");
            console.log(`${mode} ${rowKey(row)} ${code} ${JSON.stringify(difference(background(mode), one.input))}`);
            console.log(`    ${differences.slice(0, 5).join("; ")}`);
          }
        });
        total += cases.length;
        failed += bad;
      }
    }
  }
}
runner.dispose();
console.log(`${failed} of ${total} cases differ`);
process.exitCode = failed > 0 ? 1 : 0;
