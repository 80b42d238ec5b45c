// `npm start -- --check`: the whole path once without a window, through the command line tool, in a data folder of its own.
// Boots Starter to its shell, runs a command, takes a snapshot, changes a file, restores, and looks at the file again.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { seconds } from "./setup/progress.ts";
import { PROJECT } from "./setup/project.ts";

const run = promisify(execFile);
const NAME = "Check";

/** Returns the exit code. Prints what it saw and how long each part took. */
export async function runCheck(): Promise<number> {
  const home = await mkdtemp(join(tmpdir(), "terrarium-check-"));
  const terrarium = async (...args: string[]): Promise<string> => {
    const { stdout } = await run(process.execPath, ["main/cli/terrarium.ts", "--home", home, ...args], {
      cwd: PROJECT,
      maxBuffer: 1 << 24,
    });
    return stdout.trim();
  };
  /** Runs a command in the guest and returns its one line of output. The sum keeps the echo of the typed text from matching. */
  let commands = 0;
  const inGuest = async (command: string): Promise<string> => {
    const n = ++commands;
    await terrarium("send", NAME, `echo "<$((${n}+1000)):$(${command})>"\n`);
    const seen = await terrarium("wait", NAME, "--for", `<${n + 1000}:([^>]*)>`, "--timeout", "60");
    return new RegExp(`<${n + 1000}:([^>]*)>`).exec(seen)?.[1] ?? seen;
  };
  const timed = async <T>(title: string, work: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work();
    process.stdout.write(
      `ok  ${title} (${seconds(performance.now() - start)})${typeof result === "string" && result ? `: ${result}` : ""}\n`,
    );
    return result;
  };
  try {
    await timed("the host starts", () => terrarium("host", "start").then(() => ""));
    await timed("Starter Linux is created", () => terrarium("create", NAME, "--starter").then(() => ""));
    await timed("it boots to its shell", async () => {
      await terrarium("start", NAME, "--headless");
      await terrarium("wait", NAME, "--for", "starter:\\S*# ", "--timeout", "180");
    });
    await timed("a command runs in it", () => inGuest("uname -srm"));
    await timed("a file is written to its disk", () => inGuest("echo before >/root/state; sync; cat /root/state"));
    await timed("a snapshot is taken while it runs", () =>
      terrarium("snapshot", "take", NAME, "--name", "before").then(() => ""),
    );
    await timed("the file is overwritten", () => inGuest("echo after >/root/state; sync; cat /root/state"));
    const restored = await timed("the snapshot is restored", async () => {
      await terrarium("snapshot", "restore", NAME, "before");
      return inGuest("cat /root/state");
    });
    if (restored !== "before") throw new Error(`after the restore the file says '${restored}', not 'before'`);
    await timed("it powers off", () => terrarium("stop", NAME, "--power-off").then(() => ""));
    process.stdout.write("All is well.\n");
    return 0;
  } catch (error) {
    const { message, stderr } = error as { message: string; stderr?: string };
    process.stdout.write(`FAILED ${stderr?.trim() || message}\n`);
    return 1;
  } finally {
    await terrarium("host", "stop", "--power-off").catch(() => undefined);
    await rm(home, { recursive: true, force: true });
  }
}
