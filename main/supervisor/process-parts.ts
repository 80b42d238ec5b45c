// What all launchers of VM processes share: the environment they hand down, and the last words they keep.
import { availableParallelism } from "node:os";

/** Windows can't open sockets without SystemRoot; the temporary folder may hold the data socket. */
const PASSED_ON = ["SystemRoot", "TMPDIR", "TEMP", "TMP"] as const;

/** glibc keeps what threads have freed, tens of megabytes once V8's compilers had their turn: fewer pools, and freed ends go back at once. */
const ALLOCATOR = { MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" };

/**
 * Options of V8 in a VM process, which must be there when it starts. Its young objects are short-lived garbage of the translator: with room
 * for 4 MiB of them instead of 16 a process takes 45 MB less and no more time. Compiling on as many threads as the host has processors takes
 * the guest's own away: one less makes short work a tenth faster on a host with two.
 */
export const VM_PROCESS_OPTIONS = ["--max-semi-space-size=4", `--v8-pool-size=${compilers()}`];

/** V8's own number is four. */
function compilers(): number {
  return Math.min(4, Math.max(1, availableParallelism() - 1));
}

export function minimalEnvironment(): Record<string, string> {
  const environment: Record<string, string> = process.platform === "linux" ? { ...ALLOCATOR } : {};
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

const TAIL_CHARACTERS = 4096;

export class StderrTail {
  text = "";

  constructor(stderr: NodeJS.ReadableStream | null) {
    stderr?.setEncoding("utf8");
    stderr?.on("data", (text: string) => this.add(text));
  }

  add(text: string): void {
    this.text = (this.text + text).slice(-TAIL_CHARACTERS);
  }
}
