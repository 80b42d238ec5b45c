// `npm test`: installs what tests need, builds the app and runs all of them. The last line counts: `412 passed, 0 failed`.
import { spawn } from "node:child_process";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { buildAll } from "./setup/build.ts";
import { requireTools, TEST_TOOLS } from "./setup/debian.ts";
import { SetupError } from "./setup/progress.ts";
import { PROJECT } from "./setup/project.ts";

const REPORT = join(PROJECT, "out/test-report.json");

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: { name: string; status: string }[];
}

async function main(): Promise<number> {
  await requireTools(TEST_TOOLS);
  await buildAll();
  await mkdir(join(PROJECT, "out"), { recursive: true });
  await rm(REPORT, { force: true });
  const code = await vitest();
  const report = await readFile(REPORT, "utf8").then(
    (text) => JSON.parse(text) as Report,
    () => undefined,
  );
  if (!report) {
    process.stderr.write("vitest left no report\n");
    return code || 1;
  }
  // A file that fails to load has no failed test of its own, but must count.
  const brokenFiles = report.testResults.filter((file) => file.status === "failed").length;
  const failed = Math.max(report.numFailedTests, brokenFiles);
  const skipped = report.numPendingTests > 0 ? `, ${report.numPendingTests} skipped` : "";
  process.stdout.write(`\n${report.numPassedTests} passed, ${failed} failed${skipped}\n`);
  return failed > 0 ? 1 : code;
}

function vitest(): Promise<number> {
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${REPORT}`,
    ...process.argv.slice(2),
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: PROJECT, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(
    `Terrarium: ${error instanceof SetupError ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exitCode = 1;
}
