// Runs random programs on whole machines for as long as told, and keeps the seeds of those that break something.
//   node scripts/conformance/fuzz-machine.ts [--minutes 10] [--seed TEXT] [--keep FILE]
// With --seed one machine is run with that seed, to look at a failure again. A worker does the work; one that makes no progress for a
// minute is ended, and its seed counts as a failure.
import { appendFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { MachineFuzz } from "./machine-fuzz.ts";

const SILENCE_MS = 60_000;

interface Job {
  readonly minutes: number;
  readonly seed: string | undefined;
  readonly start: number;
}
type Message =
  | { readonly kind: "program"; readonly seed: string; readonly text: string }
  | {
      readonly kind: "machine";
      readonly programs: number;
      readonly ends: Readonly<Record<string, number>>;
      readonly longestMs: number;
      readonly longestProgram: string;
    }
  | { readonly kind: "failure"; readonly seed: string; readonly text: string };

if (isMainThread) await main();
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a worker has no origin
else await work(workerData as Job, (message) => parentPort?.postMessage(message));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { minutes: { type: "string", default: "10" }, seed: { type: "string" }, keep: { type: "string" } },
  });
  const end = Date.now() + Number(values.minutes) * 60_000;
  let start = Date.now();
  let programs = 0;
  let failures = 0;
  let longestMs = 0;
  let longestProgram = "";
  const ends: Record<string, number> = {};
  const fail = (seed: string, text: string): void => {
    failures++;
    console.log(`seed ${seed}: ${text}`);
    if (values.keep) appendFileSync(values.keep, `${JSON.stringify({ seed, text: text.split("\n")[0] })}\n`);
  };
  while (Date.now() < end) {
    const job: Job = { minutes: (end - Date.now()) / 60_000, seed: values.seed, start };
    start += 1_000_000;
    const finished = await supervise(job, fail, (message) => {
      programs += message.programs;
      if (message.longestMs > longestMs) ({ longestMs, longestProgram } = message);
      for (const [name, count] of Object.entries(message.ends)) ends[name] = (ends[name] ?? 0) + count;
    });
    if (finished || values.seed !== undefined) break;
  }
  console.log(
    `${programs} programs, ${failures} failures, longest slice ${longestMs.toFixed(0)} ms (${longestProgram}), ${JSON.stringify(ends)}`,
  );
  process.exitCode = failures > 0 ? 1 : 0;
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
    const hung = (): void => {
      fail(last?.seed ?? "?", `no progress: ${last?.text}`);
      void worker.terminate();
      resolve(false);
    };
    let timer = setTimeout(hung, SILENCE_MS);
    worker.on("message", (message: Message) => {
      clearTimeout(timer);
      timer = setTimeout(hung, SILENCE_MS);
      if (message.kind === "program") last = message;
      else if (message.kind === "failure") fail(message.seed, message.text);
      else done(message);
    });
    worker.on("error", (error) => {
      clearTimeout(timer);
      fail(last?.seed ?? "?", String(error));
      resolve(false);
    });
    worker.on("exit", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

async function work({ minutes, seed: only, start }: Job, report: (message: Message) => void): Promise<void> {
  const fuzz = new MachineFuzz(await interpreterModule());
  const end = Date.now() + minutes * 60_000;
  for (let n = 0; only !== undefined ? n === 0 : Date.now() < end; n++) {
    const seed = only ?? String(start + n);
    try {
      const outcome = fuzz.run(seed, (program, mode) =>
        report({ kind: "program", seed, text: `program ${program}, ${mode}` }),
      );
      report({ kind: "machine", ...outcome });
    } catch (error) {
      report({ kind: "failure", seed, text: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }
}
