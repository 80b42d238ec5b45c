// Suite `guest`: boot to the first line of init, then seven workloads in busybox; ours, QEMU TCG, v86 in turn, and the host itself.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { benchInit, WORKLOADS, workloadScript } from "../guests/workloads.ts";
import { type Marks, type RunningGuest, untilDone } from "../peers/peer.ts";
import { TERRARIUM } from "../peers/terrarium.ts";
import { geometricMean, median, type Report, type ReportRow, rowOf } from "../table.ts";
import { everybody, MEMORY_ABOVE_GUEST, memoryAboveGuest, REST_MS } from "./everybody.ts";
import { inRounds } from "./rounds.ts";

const COMMAND_LINE = "console=ttyS0 quiet panic=-1";

export async function guestSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const { participants, busybox } = await everybody("guest", benchInit("exec $B sh"), COMMAND_LINE);
  const memory = new Map<string, number[]>();
  const measure = async (guest: RunningGuest): Promise<Marks> => {
    const marks = await untilDone(guest);
    const { name } = guest.peer;
    await sleep(REST_MS);
    memory.set(name, [...(memory.get(name) ?? []), await memoryAboveGuest(guest)]);
    return marks;
  };
  const { results, versions, missing } = await inRounds(rounds, participants, progress, measure, () => native(busybox));
  const memoryRow = rowOf(`${MEMORY_ABOVE_GUEST}, at rest afterwards`, "MiB", memory, (above) => above);
  return { suite: "guest", versions, missing, rounds, rows: [...rows(results), memoryRow], notes: summary(results) };
}

async function native(busybox: string): Promise<Marks> {
  const folder = await mkdtemp(join(tmpdir(), "terrarium-bench-"));
  const marks = new Map<string, number>();
  const start = performance.now();
  try {
    // The guest's PATH holds nothing but busybox, so the host's must not either.
    const applets = `B=${busybox}; T=${folder}; for a in awk cat dd gzip head md5sum rev seq sha256sum sort true; do eval "$a() { $B $a \\"\\$@\\"; }"; done`;
    const child = spawn(busybox, ["sh", "-c", `${applets}\n${workloadScript()}`], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      const mark = /MARK (.+?)\s*$/.exec(line)?.[1];
      if (mark) marks.set(mark, performance.now() - start);
    });
    await new Promise((resolve) => child.on("close", resolve));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return marks;
}

const duration = (marks: Marks, name: string): number =>
  ((marks.get(`end ${name}`) ?? Number.NaN) - (marks.get(`begin ${name}`) ?? Number.NaN)) / 1000;

function rows(results: ReadonlyMap<string, readonly Marks[]>): ReportRow[] {
  const boot: Record<string, number> = {};
  for (const [name, runs] of results)
    if (name !== "native") boot[name] = median(runs.map((marks) => (marks.get("init") ?? Number.NaN) / 1000));
  return [
    { what: "start to first line of init (cold)", unit: "s", values: boot },
    ...WORKLOADS.map((workload) => ({
      what: workload.title,
      unit: "s",
      values: Object.fromEntries(
        [...results].map(([name, runs]) => [name, median(runs.map((marks) => duration(marks, workload.name)))]),
      ),
    })),
  ];
}

function summary(results: ReadonlyMap<string, readonly Marks[]>): string[] {
  const ours = results.get(TERRARIUM.name);
  if (!ours) return [];
  return [...results].flatMap(([name, runs]) => {
    if (name === TERRARIUM.name) return [];
    const ratios = WORKLOADS.map(
      (workload) =>
        median(runs.map((m) => duration(m, workload.name))) / median(ours.map((m) => duration(m, workload.name))),
    );
    return [
      `Terrarium's speed against ${name}: ${geometricMean(ratios).toFixed(2)}x (geometric mean of ${WORKLOADS.length} workloads).`,
    ];
  });
}
