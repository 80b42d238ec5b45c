// qemu-img and qemu-io as the independent judge of our images. Tests that need them say so and are skipped without them.
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export const hasQemuTools = (() => {
  try {
    execFileSync("qemu-img", ["--version"], { stdio: "ignore" });
    execFileSync("qemu-io", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

export async function qemuImg(...args: string[]): Promise<string> {
  return (await run("qemu-img", args)).stdout;
}

/** Runs qemu-io commands on an image. */
export async function qemuIo(file: string, ...commands: string[]): Promise<string> {
  const { stdout } = await run("qemu-io", [...commands.flatMap((command) => ["-c", command]), file]);
  return stdout;
}

export interface CheckResult {
  readonly corruptions: number;
  readonly leaks: number;
  readonly errors: number;
}

/** What `qemu-img check` finds. It exits non-zero for leaks too, which a crash may leave behind. */
export async function qemuCheck(file: string): Promise<CheckResult> {
  const output = await run("qemu-img", ["check", "--output=json", file]).then(
    ({ stdout }) => stdout,
    (error: { stdout?: string; stderr?: string }) =>
      error.stdout || `{"check-errors": 1, "text": ${JSON.stringify(error.stderr)}}`,
  );
  const found = JSON.parse(output) as Record<string, number>;
  return {
    corruptions: found["corruptions"] ?? 0,
    leaks: found["leaks"] ?? 0,
    errors: found["check-errors"] ?? 0,
  };
}

/** A folder of its own for a test file; `remove` it at the end. */
export function temporaryFolder(name: string): { path: string; file: (name: string) => string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `terrarium-${name}-`));
  return {
    path,
    file: (child) => join(path, child),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
