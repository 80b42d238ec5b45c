// Starts the Node host (main/server.ts) as a process of its own and waits until it answers.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { SetupError } from "./progress.ts";
import { PROJECT } from "./project.ts";

export interface RunningHost {
  /** Address with its one-time token. */
  readonly url: string;
  readonly process: ChildProcess;
  /** Asks it to end: machines are saved, then it exits. */
  stop(): void;
  /** Its exit code. */
  readonly ended: Promise<number>;
}

/** Rejects with the host's own words when it does not come up. */
export function startHost(options: { port: number; home?: string }): Promise<RunningHost> {
  const args = ["main/server.ts", "--port", String(options.port), ...(options.home ? ["--home", options.home] : [])];
  const child = spawn(process.execPath, args, { cwd: PROJECT, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number>((resolve) => child.on("exit", (code) => resolve(code ?? 1)));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    void ended.then((code) =>
      reject(new SetupError(`the app's host ended at once (exit code ${code}); its message stands above`)),
    );
    createInterface({ input: child.stdout }).on("line", (line) => {
      const url = readyUrl(line);
      if (url) resolve({ url, process: child, stop: () => child.kill("SIGTERM"), ended });
    });
  });
}

/** The host prints `{"url": "..."}` on a line of its own when it is ready. */
function readyUrl(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return (JSON.parse(line) as { url?: string }).url;
  } catch {
    return undefined;
  }
}
