// Suite `idle`: a guest that waits at a prompt; host CPU over 20 seconds and resident memory of the process.
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { amd64Image, type GuestImage, i386Image } from "../guests/images.ts";
import type { RunningGuest } from "../peers/peer.ts";
import { QEMU } from "../peers/qemu.ts";
import { TERRARIUM } from "../peers/terrarium.ts";
import { V86 } from "../peers/v86.ts";
import { median, type Report } from "../table.ts";
import { inRounds } from "./rounds.ts";

const WINDOW_MS = 20_000;
/** The guest's own late boot work is over by then. */
const SETTLE_MS = 5_000;

const INIT = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
echo "MARK idle"
exec /bin/busybox sh
`;

/** CPU time used by a process in clock ticks of 10 ms (proc(5): utime and stime of /proc/PID/stat). */
async function cpuTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

async function sum(pids: readonly number[], read: (pid: number) => Promise<number>): Promise<number> {
  return (await Promise.all(pids.map(read))).reduce((total, value) => total + value, 0);
}

interface IdleSample {
  readonly cpuPercent: number;
  readonly residentMiB: number;
}

async function watchIdle(guest: RunningGuest): Promise<IdleSample> {
  await guest.waitFor("idle", 120_000);
  await sleep(SETTLE_MS);
  const pids = await guest.processes();
  const before = await sum(pids, cpuTicks);
  await sleep(WINDOW_MS);
  const cpuPercent = ((await sum(pids, cpuTicks)) - before) * 10 * (100 / WINDOW_MS);
  return { cpuPercent, residentMiB: Math.max(...(await Promise.all(pids.map(residentMiB)))) };
}

export async function idleSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const amd64 = await amd64Image("idle", INIT);
  const i386 = await i386Image("idle", INIT);
  const options = (image: GuestImage | undefined) =>
    image && { kernel: image.kernel, initrd: image.initrd, commandLine: "console=ttyS0 quiet", memoryMiB: 256 };
  const participants = [
    { peer: TERRARIUM, guest: options(amd64) },
    { peer: QEMU, guest: options(amd64) },
    { peer: V86, guest: options(i386) },
  ];
  const { results, versions, missing } = await inRounds(rounds, participants, progress, watchIdle);
  const row = (what: string, unit: string, pick: keyof IdleSample) => ({
    what,
    unit,
    values: Object.fromEntries([...results].map(([name, all]) => [name, median(all.map((sample) => sample[pick]))])),
  });
  return {
    suite: "idle",
    versions,
    missing,
    rounds,
    rows: [
      row("host CPU at a prompt, of one core", "%", "cpuPercent"),
      row("resident memory of the largest process, 256 MB guest", "MiB", "residentMiB"),
    ],
    notes: [],
  };
}
