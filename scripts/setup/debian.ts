// Debian packages that tests need. Installed where this runs as root on Debian; named where it does not.
import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { promisify } from "node:util";
import { note, SetupError, step } from "./progress.ts";

const run = promisify(execFile);

/** A program and the package that brings it. */
export interface SystemTool {
  readonly path: string;
  readonly package: string;
  readonly neededFor: string;
}

export const TEST_TOOLS: readonly SystemTool[] = [
  { path: "/usr/bin/chromium", package: "chromium", neededFor: "the browser tests" },
  { path: "/usr/bin/qemu-img", package: "qemu-utils", neededFor: "checking our disk images against QEMU's own tools" },
  { path: "/usr/bin/as", package: "binutils", neededFor: "assembling test programs" },
  { path: "/usr/bin/mmdebstrap", package: "mmdebstrap", neededFor: "the system that test guests run" },
  { path: "/sbin/mke2fs", package: "e2fsprogs", neededFor: "making Starter's disk" },
];

export const BENCH_TOOLS: readonly SystemTool[] = [
  { path: "/usr/bin/qemu-system-x86_64", package: "qemu-system-x86", neededFor: "the comparison with QEMU" },
  { path: "/usr/bin/qemu-img", package: "qemu-utils", neededFor: "the comparison with QEMU" },
];

/**
 * `apt-get update`, as root. One index that fails (a mirror in the middle of its own update) fails the command, but leaves the others:
 * whether they are enough is seen from what is tried next.
 */
export async function refreshPackageLists(): Promise<void> {
  note("refreshing the package lists");
  await run("apt-get", ["update", "-q"], { maxBuffer: 1 << 26 }).catch(() => undefined);
}

/** Installs what is missing (as root), or throws one line that says what to install. */
export async function requireTools(tools: readonly SystemTool[]): Promise<void> {
  const missing: SystemTool[] = [];
  for (const tool of tools) {
    const there = await access(tool.path).then(
      () => true,
      () => false,
    );
    if (!there) missing.push(tool);
  }
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => tool.package))];
  const why = missing.map((tool) => `${tool.package} for ${tool.neededFor}`).join(", ");
  if (process.getuid?.() !== 0)
    throw new SetupError(`missing: ${why}. Remedy: sudo apt-get install ${packages.join(" ")}`);
  await step(`Installing ${packages.join(", ")}`, async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const install = (): Promise<unknown> =>
      run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], { env, maxBuffer: 1 << 26 });
    try {
      await install();
    } catch {
      // Most often the package lists are missing or old.
      await refreshPackageLists();
      try {
        await install();
      } catch (error) {
        const reason = String((error as { stderr?: string }).stderr ?? error)
          .trim()
          .split("\n")
          .at(-1);
        throw new SetupError(`apt-get could not install ${packages.join(" ")} (${reason}); needed: ${why}`);
      }
    }
  });
}
