// Runs random programs on whole machines for as long as told, and keeps the seeds of those that break something.
//   node scripts/conformance/fuzz-machine.ts [--minutes 10] [--from NUMBER] [--seed TEXT] [--keep FILE]
// Minutes are of processor time, so that a busy host does not shorten a run. Seeds are numbers that count up from --from (the clock, if
// it is left out). With --seed one machine is run with that seed, to look at a failure again. A worker does the work; one that makes no
// progress for a minute of processor time is ended, its seed counts as a failure, and the next worker starts a million further. SIGINT ends
// a run early, with its counts.
import { appendFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { type FuzzOutcome, MachineFuzz } from "./machine-fuzz.ts";

const SILENCE_MS = 60_000;
const CHECK_EVERY_MS = 5000;

interface Job {
  /** When to stop, in milliseconds of this process's processor time. */
  readonly endMs: number;
  readonly seed: string | undefined;
  readonly start: number;
}
type Message =
  | { readonly kind: "program"; readonly seed: string; readonly text: string }
  | ({
      readonly kind: "machine";
      readonly seed: string;
    } & FuzzOutcome)
  | { readonly kind: "failure"; readonly seed: string; readonly text: string };

if (isMainThread) await main();
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a worker has no origin
else await work(workerData as Job, (message) => parentPort?.postMessage(message));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      from: { type: "string", default: String(Date.now()) },
      seed: { type: "string" },
      keep: { type: "string" },
    },
  });
  const endMs = Number(values.minutes) * 60_000;
  let start = Number(values.from);
  let programs = 0;
  let lastSeed = "";
  let failures = 0;
  let longestMs = 0;
  let longestProgram = "";
  const ends: Record<string, number> = {};
  const kinds: Record<string, number> = {};
  const fail = (seed: string, text: string): void => {
    failures++;
    console.log(`seed ${seed}: ${text}`);
    if (values.keep) appendFileSync(values.keep, `${JSON.stringify({ seed, text: text.split("\n")[0] })}\n`);
  };
  const finish = (): void => {
    console.log(
      `${programs} programs, ${failures} failures, ${(processorMs() / 60_000).toFixed(1)} minutes of processor time, seeds ${values.seed ?? values.from} to ${lastSeed}`,
    );
    console.log(`longest slice ${longestMs.toFixed(0)} ms (${longestProgram})`);
    console.log(`slices ended: ${JSON.stringify(ends)}`);
    console.log(`programs: ${JSON.stringify(kinds)}`);
    process.exit(failures > 0 ? 1 : 0);
  };
  process.once("SIGINT", finish);
  while (processorMs() < endMs) {
    const job: Job = { endMs, seed: values.seed, start };
    start += 1_000_000;
    const finished = await supervise(job, fail, (message) => {
      programs += message.programs;
      if (message.longestMs > longestMs) ({ longestMs, longestProgram } = message);
      lastSeed = message.seed;
      addCounts(ends, message.ends);
      addCounts(kinds, message.kinds);
    });
    if (finished || values.seed !== undefined) break;
  }
  finish();
}

/** Of this process, all its threads. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function addCounts(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
}

/** False if the worker had to be ended. */
function supervise(
  job: Job,
  fail: (seed: string, text: string) => void,
  done: (message: Message & { kind: "machine" }) => void,
): Promise<boolean> {
  const worker = new Worker(new URL(import.meta.url), { workerData: job });
  let last: (Message & { kind: "program" }) | undefined;
  return new Promise((resolve) => {
    let heardMs = processorMs();
    const timer = setInterval(() => {
      if (processorMs() - heardMs < SILENCE_MS) return;
      clearInterval(timer);
      fail(last?.seed ?? "?", `no progress: ${last?.text}`);
      void worker.terminate();
      resolve(false);
    }, CHECK_EVERY_MS);
    worker.on("message", (message: Message) => {
      heardMs = processorMs();
      if (message.kind === "program") last = message;
      else if (message.kind === "failure") fail(message.seed, message.text);
      else done(message);
    });
    worker.on("error", (error) => {
      clearInterval(timer);
      fail(last?.seed ?? "?", String(error));
      resolve(false);
    });
    worker.on("exit", () => {
      clearInterval(timer);
      resolve(true);
    });
  });
}

async function work({ endMs, seed: only, start }: Job, report: (message: Message) => void): Promise<void> {
  const fuzz = new MachineFuzz(await interpreterModule());
  for (let n = 0; only !== undefined ? n === 0 : processorMs() < endMs; n++) {
    const seed = only ?? String(start + n);
    try {
      const outcome = fuzz.run(seed, (program, mode) =>
        report({ kind: "program", seed, text: `program ${program}, ${mode}` }),
      );
      report({ kind: "machine", seed, ...outcome });
    } catch (error) {
      report({ kind: "failure", seed, text: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }
}
