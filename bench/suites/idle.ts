// Suite `idle`: a guest that waits at a prompt; host CPU over 20 seconds and resident memory of the process.
import { setTimeout as sleep } from "node:timers/promises";
import type { RunningGuest } from "../peers/peer.ts";
import { cpuMs, residentMiB, waits } from "../process-figures.ts";
import { type Report, rowOf } from "../table.ts";
import { everybody, MEMORY_ABOVE_GUEST, memoryAboveGuest, REST_MS } from "./everybody.ts";
import { inRounds } from "./rounds.ts";

const WINDOW_MS = 20_000;
const INIT = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
echo "MARK idle"
exec /bin/busybox sh
`;

interface IdleSample {
  readonly cpuPercent: number;
  readonly waitsPerSecond: number;
  readonly residentMiB: number;
  readonly aboveGuestMiB: number;
  readonly programMiB: number;
}

async function watchIdle(guest: RunningGuest): Promise<IdleSample> {
  await guest.waitFor("idle", 120_000);
  await sleep(REST_MS);
  const pids = await guest.processes();
  const before = { cpu: await cpuMs(pids), waits: await waits(pids) };
  await sleep(WINDOW_MS);
  return {
    cpuPercent: ((await cpuMs(pids)) - before.cpu) * (100 / WINDOW_MS),
    waitsPerSecond: ((await waits(pids)) - before.waits) * (1000 / WINDOW_MS),
    residentMiB: await residentMiB(pids),
    aboveGuestMiB: await memoryAboveGuest(guest),
    programMiB: await residentMiB(pids, "RssFile"),
  };
}

export async function idleSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const { participants } = await everybody("idle", INIT, "console=ttyS0 quiet");
  const { results, versions, missing } = await inRounds(rounds, participants, progress, watchIdle);
  return {
    suite: "idle",
    versions,
    missing,
    rounds,
    rows: [
      rowOf("host CPU at a prompt, of one core", "%", results, ({ cpuPercent }) => cpuPercent),
      rowOf("threads that wake up", "/s", results, ({ waitsPerSecond }) => waitsPerSecond),
      rowOf("resident memory of the largest process, 256 MB guest", "MiB", results, (sample) => sample.residentMiB),
      rowOf(MEMORY_ABOVE_GUEST, "MiB", results, ({ aboveGuestMiB }) => aboveGuestMiB),
      rowOf(
        "of that the program's files, one copy for all its processes",
        "MiB",
        results,
        (sample) => sample.programMiB,
      ),
    ],
    notes: ["How often threads wake up does not depend on what else the host does, as processor time does a little."],
  };
}
