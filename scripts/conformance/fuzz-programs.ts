// Runs random programs on this machine's processor and on the core, and compares.
//   node scripts/conformance/fuzz-programs.ts [--count 2000] [--seed text] [--style block|jit]
import { parseArgs } from "node:util";
import { compareOutcomes } from "./compare.ts";
import { InterpreterSubject } from "./interpreter-subject.ts";
import { NativeRunner } from "./native.ts";
import { makeProgram } from "./programs.ts";
import { Random } from "./random.ts";
import { background, difference, SLOT_ADDRESS } from "./vector-format.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "2000" },
    seed: { type: "string", default: new Date().toISOString() },
    style: { type: "string", default: "jit" },
  },
});
const style = values.style === "block" ? "block" : "jit";
const subject = new InterpreterSubject(style);
const runner = new NativeRunner();
const random = new Random(values.seed);
const programs = Array.from({ length: Number(values.count) }, () => makeProgram(random));
const outcomes = runner.run(programs.map(({ code, input }) => ({ mode: "64" as const, code, input })));
runner.dispose();

console.log(`seed ${values.seed}, ${style}`);
let failed = 0;
outcomes.forEach((expected, n) => {
  const program = programs[n] as (typeof programs)[number];
  const offset = Number(expected.rip - SLOT_ADDRESS);
  const atEnd = offset === program.code.length;
  const ignored = subject.losesFlags && atEnd ? 0x8d5n : (program.undefinedAt.get(offset) ?? 0x8d5n);
  const actual = subject.run("64", program.code, program.input);
  const differences = compareOutcomes(undefined, "64", expected, actual, ignored);
  if (differences.length === 0) return;
  if (failed++ > 5) return;
  console.log(Buffer.from(program.code).toString("hex"), JSON.stringify(difference(background("64"), program.input)));
  console.log(`    ${differences.slice(0, 6).join("; ")}`);
});
console.log(`${failed} of ${programs.length} programs differ`);
process.exitCode = failed > 0 ? 1 : 0;
