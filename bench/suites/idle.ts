// Suite `idle`: a guest that has been waiting at a prompt for half a minute; what its process and those around it use of the host in a
// minute from then on, and resident memory of the process. `--verbose` splits it by threads.
import { setTimeout as sleep } from "node:timers/promises";
import type { RunningGuest } from "../peers/peer.ts";
import { largestOf, residentMiB, sharedMiB, type ThreadFigures, threads } from "../process-figures.ts";
import { median, type Report, rowOf } from "../table.ts";
import { everybody, MEMORY_ABOVE_GUEST, memoryAboveGuest } from "./everybody.ts";
import { inRounds } from "./rounds.ts";

/**
 * Until what the boot leaves behind is over: late work of the guest's kernel, the engine's own cleaning up, compilers that improve what
 * has become hot. That is part of a boot and not of being at rest.
 */
const SETTLE_MS = 30_000;
/** Medians of several short windows: what else the host does falls into one of them. */
const WINDOW_MS = 20_000;
const WINDOWS = 3;
const INIT = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
echo "MARK idle"
exec /bin/busybox sh
`;

/** Threads of one name in one window. */
interface Share {
  readonly cpuPercent: number;
  readonly waitsPerSecond: number;
}

interface Window {
  /** The process that holds the machine. */
  readonly machine: Share;
  /** With the host, its spare process and what starts it. */
  readonly all: Share;
  readonly byThread: ReadonlyMap<string, Share>;
}

interface IdleSample {
  readonly windows: readonly Window[];
  readonly residentMiB: number;
  readonly proportionalMiB: number;
  readonly aboveGuestMiB: number;
  readonly programMiB: number;
}

async function watchIdle(guest: RunningGuest): Promise<IdleSample> {
  await guest.waitFor("idle", 120_000);
  await sleep(SETTLE_MS);
  const pids = await guest.processes();
  const machine = await largestOf(pids);
  const windows: Window[] = [];
  for (let n = 0; n < WINDOWS; n++) {
    const before = await threads(pids);
    const start = performance.now();
    await sleep(WINDOW_MS);
    windows.push(windowOf(machine, before, await threads(pids), performance.now() - start));
  }
  return {
    windows,
    residentMiB: await residentMiB([machine]),
    proportionalMiB: await sharedMiB([machine]),
    aboveGuestMiB: await memoryAboveGuest(guest),
    programMiB: await residentMiB([machine], "RssFile"),
  };
}

type Threads = ReadonlyMap<string, ThreadFigures>;

function windowOf(machine: number, before: Threads, after: Threads, ms: number): Window {
  const used = [...after].map(([key, { pid, name, cpuMs, waits }]) => ({
    inMachine: pid === machine,
    name,
    cpuMs: cpuMs - (before.get(key)?.cpuMs ?? 0),
    waits: waits - (before.get(key)?.waits ?? 0),
  }));
  const share = (some: typeof used): Share => ({
    cpuPercent: some.reduce((sum, { cpuMs }) => sum + cpuMs, 0) * (100 / ms),
    waitsPerSecond: some.reduce((sum, { waits }) => sum + waits, 0) * (1000 / ms),
  });
  const own = used.filter(({ inMachine }) => inMachine);
  const byName = Map.groupBy(own, ({ name }) => name);
  return {
    machine: share(own),
    all: share(used),
    byThread: new Map([...byName].map(([name, some]) => [name, share(some)])),
  };
}

const medianOf = (sample: IdleSample, pick: (window: Window) => number): number => median(sample.windows.map(pick));

export async function idleSuite(
  rounds: number,
  progress: (text: string) => void,
  verbose: boolean = false,
): Promise<Report> {
  const { participants } = await everybody("idle", INIT, "console=ttyS0 quiet");
  const { results, versions, missing } = await inRounds(rounds, participants, progress, watchIdle);
  const share = (what: string, unit: string, pick: (window: Window) => number) =>
    rowOf(what, unit, results, (sample) => medianOf(sample, pick));
  return {
    suite: "idle",
    versions,
    missing,
    rounds,
    rows: [
      share("processor time of the machine's process, of one core", "%", ({ machine }) => machine.cpuPercent),
      share("the same with the host's other processes", "%", ({ all }) => all.cpuPercent),
      share("threads of the machine's process that wake up", "/s", ({ machine }) => machine.waitsPerSecond),
      rowOf("resident memory of the process, 256 MB guest", "MiB", results, (sample) => sample.residentMiB),
      rowOf("its share of it (PSS)", "MiB", results, (sample) => sample.proportionalMiB),
      rowOf(MEMORY_ABOVE_GUEST, "MiB", results, ({ aboveGuestMiB }) => aboveGuestMiB),
      rowOf(
        "of that the program's files, one copy for all its processes",
        "MiB",
        results,
        (sample) => sample.programMiB,
      ),
    ],
    notes: [
      `At rest: ${SETTLE_MS / 1000} s after the prompt; medians of ${WINDOWS} windows of ${WINDOW_MS / 1000} s in each round.`,
      "How often threads wake up does not depend on what else the host does, as processor time does.",
      ...(verbose ? [...results].flatMap(([name, samples]) => split(name, samples)) : []),
    ],
  };
}

/** A line for each name that threads of the machine's process have. */
function split(participant: string, samples: readonly IdleSample[]): string[] {
  const windows = samples.flatMap((sample) => sample.windows);
  const names = new Set(windows.flatMap(({ byThread }) => [...byThread.keys()]));
  const figure = (name: string, pick: (share: Share) => number): number =>
    median(windows.map(({ byThread }) => pick(byThread.get(name) ?? { cpuPercent: 0, waitsPerSecond: 0 })));
  return [...names]
    .map((name) => ({
      name,
      cpu: figure(name, (one) => one.cpuPercent),
      waits: figure(name, (one) => one.waitsPerSecond),
    }))
    .filter(({ cpu }) => cpu > 0)
    .sort((a, b) => b.cpu - a.cpu)
    .map(({ name, cpu, waits }) => `${participant}, ${name}: ${cpu.toFixed(3)} %, ${waits.toFixed(1)} wake-ups/s`);
}
