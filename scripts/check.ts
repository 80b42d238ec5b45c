// `npm run check`: what a change must pass before it is committed. Under a minute: format, lint, types, dead code, layers, unit tests.
import { spawn } from "node:child_process";
import { seconds } from "./setup/progress.ts";
import { PROJECT } from "./setup/project.ts";

const BIN = "node_modules/.bin";
const CHECKS: readonly (readonly [title: string, command: string, ...args: string[]])[] = [
  ["format", `${BIN}/biome`, "check", "."],
  ["types", `${BIN}/tsc`, "-b"],
  ["lint", `${BIN}/oxlint`, "--quiet"],
  ["dead code", `${BIN}/knip`, "--no-progress"],
  ["layers and unit tests", `${BIN}/vitest`, "run", "tests/architecture", "tests/unit", "--reporter=dot"],
];

function run(command: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: PROJECT, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

let failures = 0;
for (const [title, command, ...args] of CHECKS) {
  const start = performance.now();
  const { code, output } = await run(command, args);
  process.stdout.write(`${code === 0 ? "ok    " : "FAILED"} ${title} (${seconds(performance.now() - start)})\n`);
  if (code !== 0) {
    failures++;
    process.stdout.write(`${output}\n`);
  }
}
process.exitCode = failures > 0 ? 1 : 0;
