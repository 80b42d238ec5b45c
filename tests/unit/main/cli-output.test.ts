// The command line in a pipe whose reader goes away.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const CLI = fileURLToPath(new URL("../../../main/cli/terrarium.ts", import.meta.url));

it.skipIf(process.platform === "win32")("A command whose reader has seen enough ends without a failure", async () => {
  // The reader is gone long before a process has started.
  const script = '("$0" "$1" --help; echo "exit code $?" >&2) | :';
  const { stderr } = await promisify(execFile)("sh", ["-c", script, process.execPath, CLI]);
  expect(stderr).toBe("exit code 0\n");
});
