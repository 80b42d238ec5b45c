// Suite `idle`: a guest that waits at a prompt; host CPU over 20 seconds and resident memory of the process.
import { setTimeout as sleep } from "node:timers/promises";
import type { RunningGuest } from "../peers/peer.ts";
import { cpuMs, residentMiB } from "../process-figures.ts";
import { type Report, rowOf } from "../table.ts";
import { everybody } from "./everybody.ts";
import { inRounds } from "./rounds.ts";

const WINDOW_MS = 20_000;
/** The guest's own late boot work is over by then. */
const SETTLE_MS = 5_000;

const INIT = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
echo "MARK idle"
exec /bin/busybox sh
`;

interface IdleSample {
  readonly cpuPercent: number;
  readonly residentMiB: number;
}

async function watchIdle(guest: RunningGuest): Promise<IdleSample> {
  await guest.waitFor("idle", 120_000);
  await sleep(SETTLE_MS);
  const pids = await guest.processes();
  const before = await cpuMs(pids);
  await sleep(WINDOW_MS);
  const cpuPercent = ((await cpuMs(pids)) - before) * (100 / WINDOW_MS);
  return { cpuPercent, residentMiB: await residentMiB(pids) };
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
      rowOf("resident memory of the largest process, 256 MB guest", "MiB", results, (sample) => sample.residentMiB),
    ],
    notes: [],
  };
}
