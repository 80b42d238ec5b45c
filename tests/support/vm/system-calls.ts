// The system calls of a VM process, recorded by strace: the only witness of what reached the host's kernel, and in which order.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { VmLauncher } from "../../../main/supervisor/launcher.ts";
import { launchBy } from "./wrapped-launcher.ts";

/** Whether there is a strace that may trace. */
export const canTrace = (() => {
  try {
    execFileSync("strace", ["-f", "--seccomp-bpf", "-o", "/dev/null", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

export interface SystemCall {
  readonly name: string;
  /** Path of the file it is about. */
  readonly file: string;
  readonly text: string;
  /** Lines of the record where it began and ended; `ended` undefined while it goes on. */
  readonly began: number;
  ended: number | undefined;
  /** What it returned. */
  result: number | undefined;
}

export class SystemCallRecord {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Starts a VM process whose calls of these names are recorded, with up to `stringBytes` of what they write. */
  launcher(names: readonly string[], stringBytes: number): VmLauncher {
    const words = ["-f", "-y", "-q", "--seccomp-bpf", "-s", String(stringBytes), "-e", `trace=${names.join(",")}`];
    return launchBy("strace", [...words, "-o", this.#file]);
  }

  /** All calls so far in order of their beginning. */
  read(): SystemCall[] {
    const calls: SystemCall[] = [];
    const open = new Map<string, SystemCall>();
    readFileSync(this.#file, "latin1")
      .split("\n")
      .forEach((line, at) => {
        const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
        const resumed = /^<\.\.\. \w+ resumed>/.test(rest);
        const begun = /^(\w+)\(\d+<([^>]*)>/.exec(rest);
        const call: SystemCall | undefined = resumed
          ? open.get(thread)
          : begun
            ? {
                ...{ name: begun[1] ?? "", file: begun[2] ?? "", text: rest },
                ...{ began: at, ended: undefined, result: undefined },
              }
            : undefined;
        if (!call) return;
        if (!resumed) calls.push(call);
        const end = /\) += (-?\d+)/.exec(rest);
        if (end) {
          call.ended = at;
          call.result = Number(end[1]);
          open.delete(thread);
        } else {
          open.set(thread, call);
        }
      });
    return calls;
  }
}
