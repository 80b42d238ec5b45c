// Suite `idle`: a guest that waits at a prompt; host CPU over 20 seconds and resident memory of the process.
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { amd64Image, i386Image } from "../guests/images.ts";
import { startGuest } from "../peers/peer.ts";
import { QEMU } from "../peers/qemu.ts";
import { TERRARIUM } from "../peers/terrarium.ts";
import { V86 } from "../peers/v86.ts";
import { median, type Report } from "../table.ts";

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

export async function idleSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const amd64 = await amd64Image("idle", INIT);
  const i386 = await i386Image("idle", INIT);
  const versions: Record<string, string> = {};
  const missing: Record<string, string> = {};
  const cpu = new Map<string, number[]>();
  const memory = new Map<string, number[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const [peer, image] of [
      [TERRARIUM, amd64],
      [QEMU, amd64],
      [V86, i386],
    ] as const) {
      const reason = image ? await peer.missing() : "the i386 packages could not be fetched";
      if (reason || !image) {
        missing[peer.name] = reason ?? "no image";
        continue;
      }
      versions[peer.name] = await peer.version();
      progress(`round ${round}: ${peer.name}`);
      const guest = startGuest(peer, {
        kernel: image.kernel,
        initrd: image.initrd,
        commandLine: "console=ttyS0 quiet",
        memoryMiB: 256,
      });
      await guest.waitFor("idle", 120_000);
      await sleep(SETTLE_MS);
      const pids = await guest.processes();
      const before = await sum(pids, cpuTicks);
      await sleep(WINDOW_MS);
      const share = ((await sum(pids, cpuTicks)) - before) * 10 * (100 / WINDOW_MS);
      cpu.set(peer.name, [...(cpu.get(peer.name) ?? []), share]);
      memory.set(peer.name, [
        ...(memory.get(peer.name) ?? []),
        Math.max(...(await Promise.all(pids.map(residentMiB)))),
      ]);
      guest.kill();
    }
  }
  const row = (what: string, unit: string, values: ReadonlyMap<string, number[]>) => ({
    what,
    unit,
    values: Object.fromEntries([...values].map(([name, all]) => [name, median(all)])),
  });
  return {
    suite: "idle",
    versions,
    missing,
    rounds,
    rows: [
      row("host CPU at a prompt, of one core", "%", cpu),
      row("resident memory of the largest process, 256 MB guest", "MiB", memory),
    ],
    notes: [],
  };
}
