// A machine under test: a child process whose standard output is the guest's first serial port.
import { execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { PROJECT } from "../../scripts/setup/project.ts";

/** No workload of a suite takes longer, on the slowest participant. */
const WORK_MAX_MS = 400_000;

export interface GuestOptions {
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
  readonly memoryMiB: number;
  /** qcow2 image of a virtio disk. */
  readonly disk?: string;
  /** A virtio adapter on user-mode NAT: a port of the host that the guest may reach, and ports of the host that lead to its own. */
  readonly network?: {
    readonly reachPort: number;
    readonly forwards: readonly (readonly [host: number, guest: number])[];
  };
}

export interface Peer {
  readonly name: string;
  /** Version as shown in the table. */
  version(): Promise<string>;
  /** Whether it can run here; the reason if not. */
  missing(): Promise<string | undefined>;
  /** Where guest memory begins in a mapping of so many bytes; undefined: that holds something else. Absent: it can't be told apart. */
  guestMemoryAt?(mappingBytes: number, guestBytes: number): number | undefined;
  /** Program and arguments that boot the guest with its serial port on stdio. */
  command(options: GuestOptions): readonly [string, ...string[]];
}

/** Times in milliseconds since the process was started (or since its mark `start`), by marker: `init`, `begin ash`, `end ash`, ... */
export type Marks = ReadonlyMap<string, number>;

export interface RunningGuest {
  readonly peer: Peer;
  readonly marks: Map<string, number>;
  /** Resolves when the marker line arrives; rejects when the guest ends or the time is up before. */
  waitFor(mark: string, timeoutMs: number): Promise<number>;
  /** Ends it and waits until its processes are gone. */
  stop(): Promise<void>;
  /** All processes of the participant. */
  processes(): Promise<number[]>;
}

export function startGuest(peer: Peer, options: GuestOptions): RunningGuest {
  const [program, ...args] = peer.command(options);
  let start = performance.now();
  const child = spawn(program, args, { cwd: PROJECT, stdio: ["pipe", "pipe", "pipe"] });
  const marks = new Map<string, number>();
  const waiting = new Map<string, (at: number) => void>();
  const failures = new Set<(error: Error) => void>();
  let tail = "";
  const keep = (text: string): void => {
    tail = (tail + text).slice(-2000);
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    keep(`${line}\n`);
    const mark = /MARK (.+?)\s*$/.exec(line)?.[1];
    if (!mark) return;
    if (mark === "start") start = performance.now();
    const at = performance.now() - start;
    marks.set(mark, at);
    waiting.get(mark)?.(at);
  });
  child.stderr.on("data", (chunk: Buffer) => keep(chunk.toString()));
  const fail = (reason: string): void => {
    for (const reject of failures) reject(new Error(`${peer.name}: ${reason}\n${tail}`));
  };
  child.on("exit", (code) => fail(`the guest ended (exit code ${code})`));
  child.on("error", (error) => fail(error.message));
  return {
    peer,
    marks,
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", () => resolve());
        // A participant with processes of its own ends them, too.
        child.kill("SIGTERM");
      }),
    processes: () => processTree(child.pid ?? 0),
    waitFor(mark, timeoutMs) {
      const seen = marks.get(mark);
      if (seen !== undefined) return Promise.resolve(seen);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${peer.name}: no '${mark}' within ${timeoutMs} ms\n${tail}`)),
          timeoutMs,
        );
        failures.add(reject);
        waiting.set(mark, (at) => {
          clearTimeout(timer);
          failures.delete(reject);
          resolve(at);
        });
      });
    },
  };
}

/** All marks of a guest that ends its work with `MARK done`. */
export async function untilDone(guest: RunningGuest): Promise<Marks> {
  await guest.waitFor("done", WORK_MAX_MS);
  return guest.marks;
}

/** A process and all below it. */
export async function processTree(root: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-e", "-o", "pid=,ppid="]);
  const children = new Map<number, number[]>();
  for (const line of stdout.trim().split("\n")) {
    const [pid, parent] = line.trim().split(/\s+/).map(Number) as [number, number];
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i] ?? 0) ?? []));
  return tree;
}
