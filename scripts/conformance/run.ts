// Replays the recorded conformance vectors and prints counts per family: npm run conformance [-- family ...] [--show]
// `--show` prints the first differing case of each failing form.
import { EvaluatorSubject } from "./evaluator-subject.ts";
import { InterpreterSubject } from "./interpreter-subject.ts";
import { replayPrograms } from "./recorded-programs.ts";
import { families, replay } from "./replay.ts";
import type { Subject } from "./subject.ts";

const PROGRAMS = "programs";
const words = process.argv.slice(2);
const show = words.includes("--show");
const wanted = words.filter((word) => !word.startsWith("--"));
const subjects: Subject[] = [
  new EvaluatorSubject(),
  new InterpreterSubject(),
  new InterpreterSubject("block"),
  new InterpreterSubject("jit"),
];
let failed = 0;

for (const subject of subjects) {
  const runsPrograms = subject instanceof InterpreterSubject && subject.losesFlags;
  for (const family of [...families(), ...(runsPrograms ? [PROGRAMS] : [])]) {
    if (wanted.length > 0 && !wanted.includes(family)) continue;
    const start = performance.now();
    const { vectors, failures } =
      runsPrograms && family === PROGRAMS ? replayPrograms(subject) : replay(family, subject);
    const ms = Math.round(performance.now() - start);
    failed += failures.length;
    console.log(
      `${subject.name.padEnd(18)} ${family.padEnd(16)} ${String(vectors - failures.length).padStart(6)} of ${String(vectors).padStart(6)} pass ${String(ms).padStart(6)} ms`,
    );
    if (!show) continue;
    const byGroup = Map.groupBy(failures, ({ group }) => group);
    for (const [group, cases] of byGroup) {
      console.log(`  ${group}: ${cases.length}`);
      for (const { code, differences } of cases.slice(0, 1))
        console.log(`    ${code}: ${differences.slice(0, 4).join("; ")}`);
    }
  }
}
process.exitCode = failed > 0 ? 1 : 0;
