// Suite `boot`: from nothing to the first line of init, cold: each time a process of its own, and no state kept from earlier starts.
import type { RunningGuest } from "../peers/peer.ts";
import { cpuMs, residentMiB } from "../process-figures.ts";
import { type Report, rowOf } from "../table.ts";
import { everybody } from "./everybody.ts";
import { inRounds } from "./rounds.ts";

const COMMAND_LINE = "console=ttyS0 quiet panic=-1";
const BOOT_MAX_MS = 120_000;

const INIT = `#!/bin/busybox sh
echo "MARK init"
exec /bin/busybox sh
`;

interface BootSample {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly residentMiB: number;
}

async function watchBoot(guest: RunningGuest): Promise<BootSample> {
  const ms = await guest.waitFor("init", BOOT_MAX_MS);
  const pids = await guest.processes();
  return { seconds: ms / 1000, cpuSeconds: (await cpuMs(pids)) / 1000, residentMiB: await residentMiB(pids) };
}

export async function bootSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const { participants } = await everybody("boot", INIT, COMMAND_LINE);
  const { results, versions, missing } = await inRounds(rounds, participants, progress, watchBoot);
  return {
    suite: "boot",
    versions,
    missing,
    rounds,
    rows: [
      rowOf("start to first line of init (cold)", "s", results, ({ seconds }) => seconds),
      rowOf("processor time until then, all processes and threads", "s", results, ({ cpuSeconds }) => cpuSeconds),
      rowOf("resident memory then, largest process, 256 MB guest", "MiB", results, (sample) => sample.residentMiB),
    ],
    notes: ["Terrarium's processor time holds that of the app's host process, which its peers do not have."],
  };
}
