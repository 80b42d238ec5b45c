// Suite `snapshot`: a running 256 MB guest at a prompt, and one of 1 GB that writes. How long a snapshot stops it, what it writes, and how soon
// a restored one or a fork answers.
// Ours through the app's own host and contract; QEMU through savevm and loadvm on qcow2, and qemu-img; v86 through save_state and restore_state.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { connect as connectSocket, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { RpcClient } from "../../main/rpc/client.ts";
import { PROJECT } from "../../scripts/setup/project.ts";
import { amd64Image, type GuestImage, i386Image } from "../guests/images.ts";
import type { GuestOptions } from "../peers/peer.ts";
import { QEMU } from "../peers/qemu.ts";
import { TERRARIUM } from "../peers/terrarium.ts";
import { withHost } from "../peers/terrarium-host.ts";
import { V86 } from "../peers/v86.ts";
import { median, type Report } from "../table.ts";
import { type LayerSample, layersImage, ourLayers, qemuLayers } from "./snapshot-layers.ts";

const run = promisify(execFile);

/** 64 MB of random bytes make memory that cannot be compressed away. */
export const BUSY_INIT = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmpfs /tmp
/bin/busybox dd if=/dev/urandom of=/tmp/data bs=1M count=64 2>/dev/null
echo "MARK idle"
exec /bin/busybox sh
`;
export const COMMAND_LINE = "console=ttyS0 quiet";
export const TIMEOUT_MS = 180_000;
const READY_MS = 3000;
const CLONES = 5;
const LOADED_MIB = 1024;
const LOADED_SNAPSHOTS = 3;
/** Keeps changing 64 MB of memory. */
const WRITE_LOAD = "while :; do cat /tmp/data > /tmp/copy; done & echo L$((40+2))\n";

/** Milliseconds, and bytes where the name says so. */
interface Sample extends LayerSample {
  firstPause: number;
  secondPause: number;
  loadedPause: number;
  firstTotal: number;
  secondBytes: number;
  restore: number;
  largeRestore: number;
  firstClone: number;
  linkedClone: number;
  fork: number;
}

export async function snapshotSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  const image = await amd64Image("snapshot", BUSY_INIT);
  const layers = await layersImage();
  const samples: Record<string, Partial<Sample>[]> = { [TERRARIUM.name]: [], [QEMU.name]: [], [V86.name]: [] };
  const versions: Record<string, string> = { [TERRARIUM.name]: await TERRARIUM.version() };
  const missing: Record<string, string> = {};
  const reason = await QEMU.missing();
  if (reason) missing[QEMU.name] = reason;
  else versions[QEMU.name] = await QEMU.version();
  const lacking = await V86.missing();
  // It has no 64-bit mode.
  const old = lacking ? undefined : await i386Image("snapshot", BUSY_INIT);
  if (old) versions[V86.name] = await V86.version();
  else missing[V86.name] = lacking ?? "there is no 32-bit kernel";
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round}: ${TERRARIUM.name}`);
    samples[TERRARIUM.name]?.push({ ...(await ours(image)), ...(await ourLayers(layers)) });
    if (old) {
      progress(`round ${round}: ${V86.name}`);
      samples[V86.name]?.push(await v86(old));
    }
    if (reason) continue;
    progress(`round ${round}: ${QEMU.name}`);
    samples[QEMU.name]?.push({ ...(await qemu(image)), ...(await qemuLayers(layers)) });
  }
  const row = (what: string, unit: string, pick: keyof Sample, scale = 1) => ({
    what,
    unit,
    values: Object.fromEntries(
      Object.entries(samples).flatMap(([name, all]) => {
        const values = all.flatMap((sample) => (sample[pick] === undefined ? [] : [sample[pick] / scale]));
        return values.length > 0 ? [[name, median(values)]] : [];
      }),
    ),
  });
  return {
    suite: "snapshot",
    versions,
    missing,
    rounds,
    rows: [
      row("first snapshot: guest stands still", "ms", "firstPause"),
      row("first snapshot: until it is on disk", "ms", "firstTotal"),
      row("second snapshot: guest stands still", "ms", "secondPause"),
      row("1 GB guest that keeps writing: it stands still", "ms", "loadedPause"),
      row("second snapshot: written", "MiB", "secondBytes", 1 << 20),
      row("restore to an answered command", "ms", "restore"),
      row("the same with 3 GB of memory", "ms", "largeRestore"),
      row("fork of the running machine to an answered command", "ms", "fork"),
      row("first linked clone of a snapshot", "ms", "firstClone"),
      row(`linked clone, median of ${CLONES}`, "ms", "linkedClone"),
      row("snapshot of the running guest's disk: it stands still", "ms", "diskSnapshot"),
      row("delete it: 256 MiB merged beside the running guest", "MiB/s", "liveMerge"),
      row("the same, off: into the layer above", "MiB/s", "mergeUp"),
      row("the same, off: into the layer below", "MiB/s", "mergeDown"),
      row("256 MiB written to a plain file and synced", "MiB/s", "hostDisk"),
    ],
    notes: [
      "The disk alone, QEMU: blockdev-snapshot-sync, block-stream, qemu-img rebase and commit; ours holds the memory, too.",
      "v86 restores in a new process, QEMU too; a clone of QEMU is a disk that qemu-img makes, of ours a whole machine.",
      "Before each restore and fork the host has three seconds, in which it has a process ready for it (docs/guide/snapshots.md).",
    ],
  };
}

function ours({ kernel, initrd }: GuestImage): Promise<Partial<Sample>> {
  return withHost(async ({ client }) => {
    const { id } = await client.machines.create({
      name: "bench",
      kernel,
      initrd,
      commandLine: COMMAND_LINE,
      memoryMiB: 256,
    });
    await client.machines.start({ id });
    await client.machines.waitForOutput({ id, pattern: "MARK idle", timeoutMs: TIMEOUT_MS });
    const start = performance.now();
    const first = await client.snapshots.take({ id });
    const firstTotal = performance.now() - start;
    const second = await client.snapshots.take({ id });
    const restore = await timedRestore(client, id, first.id);
    const clones: number[] = [];
    for (let number = 1; number <= CLONES; number++) {
      const cloneStart = performance.now();
      await client.machines.clone({ id, name: `clone ${number}`, kind: "linked", snapshotId: first.id });
      clones.push(performance.now() - cloneStart);
    }
    const [firstClone = Number.NaN] = clones;
    await sleep(READY_MS);
    const forkStart = performance.now();
    const [fork] = await client.machines.fork({ id });
    if (!fork) throw new Error("there is no fork");
    await client.machines.sendText({ id: fork.id, text: "echo B$((40+2))\n" });
    await client.machines.waitForOutput({ id: fork.id, pattern: "B42", timeoutMs: TIMEOUT_MS });
    const forkMs = performance.now() - forkStart;
    await client.machines.stop({ id: fork.id, how: "power-off" });
    await client.machines.stop({ id, how: "power-off" });
    return {
      firstClone,
      linkedClone: median(clones),
      fork: forkMs,
      largeRestore: await largeRestore(client, kernel, initrd),
      loadedPause: await loadedPause(client, kernel, initrd),
      ...(first.pauseMs === null ? {} : { firstPause: first.pauseMs }),
      ...(second.pauseMs === null ? {} : { secondPause: second.pauseMs }),
      firstTotal,
      secondBytes: second.ownBytes,
      restore,
    };
  });
}

async function timedRestore(client: RpcClient, id: string, snapshotId: string): Promise<number> {
  await sleep(READY_MS);
  const start = performance.now();
  await client.snapshots.restore({ snapshotId, start: true });
  await client.machines.sendText({ id, text: "echo A$((40+2))\n" });
  await client.machines.waitForOutput({ id, pattern: "A42", timeoutMs: TIMEOUT_MS });
  return performance.now() - start;
}

async function largeRestore(client: RpcClient, kernel: string, initrd: string): Promise<number> {
  const machine = { name: "large", kernel, initrd, commandLine: COMMAND_LINE, memoryMiB: 3072 };
  const { id } = await client.machines.create(machine);
  await client.machines.start({ id });
  await client.machines.waitForOutput({ id, pattern: "MARK idle", timeoutMs: TIMEOUT_MS });
  const { id: snapshotId } = await client.snapshots.take({ id });
  return timedRestore(client, id, snapshotId);
}

async function loadedPause(client: RpcClient, kernel: string, initrd: string): Promise<number> {
  const machine = { name: "loaded", kernel, initrd, commandLine: COMMAND_LINE, memoryMiB: LOADED_MIB };
  const { id } = await client.machines.create(machine);
  await client.machines.start({ id });
  await client.machines.waitForOutput({ id, pattern: "MARK idle", timeoutMs: TIMEOUT_MS });
  await client.machines.sendText({ id, text: WRITE_LOAD });
  await client.machines.waitForOutput({ id, pattern: "L42", timeoutMs: TIMEOUT_MS });
  const pauses: number[] = [];
  for (let number = 1; number <= LOADED_SNAPSHOTS; number++) {
    await sleep(READY_MS);
    pauses.push((await client.snapshots.take({ id })).pauseMs ?? Number.NaN);
  }
  await client.machines.stop({ id, how: "power-off" });
  return median(pauses);
}

async function qemu({ kernel, initrd }: GuestImage): Promise<Partial<Sample>> {
  const folder = await mkdtemp(join(tmpdir(), "terrarium-bench-"));
  const disk = join(folder, "disk.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", disk, "4G"]);
  const boot = (extra: readonly string[], memoryMiB = 256) =>
    bootQemu(folder, { kernel, initrd, commandLine: COMMAND_LINE, memoryMiB, disk }, extra);
  try {
    const running = await boot([]);
    await running.output(/MARK idle/);
    const timed = async (command: string): Promise<number> => {
      const start = performance.now();
      await running.monitor(command);
      return performance.now() - start;
    };
    const firstPause = await timed("savevm one");
    const secondPause = await timed("savevm two");
    running.kill();
    const restoreStart = performance.now();
    const restored = await boot(["-loadvm", "one"]);
    restored.type("echo A$((40+2))\n");
    await restored.output(/A42/);
    const restore = performance.now() - restoreStart;
    restored.kill();
    const cloneStart = performance.now();
    await run("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", disk, join(folder, "clone.qcow2")]);
    const linkedClone = performance.now() - cloneStart;
    const loaded = await boot([], LOADED_MIB);
    await loaded.output(/MARK idle/);
    loaded.type(WRITE_LOAD);
    await loaded.output(/L42/);
    const loadedStart = performance.now();
    await loaded.monitor("savevm loaded");
    const loadedPause = performance.now() - loadedStart;
    loaded.kill();
    return { firstPause, firstTotal: firstPause, secondPause, loadedPause, restore, linkedClone };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function v86({ kernel, initrd }: GuestImage): Promise<Partial<Sample>> {
  const folder = await mkdtemp(join(tmpdir(), "terrarium-bench-"));
  const options = JSON.stringify({ kernel, initrd, commandLine: COMMAND_LINE, memoryMiB: 256 });
  const script = (mode: string) =>
    run(process.execPath, ["bench/peers/v86-states-process.ts", options, mode, join(folder, "state")], {
      cwd: PROJECT,
    });
  try {
    const { stdout } = await script("save");
    const [first, second] = JSON.parse(stdout) as { pause: number; total: number }[];
    const start = performance.now();
    await script("restore");
    const restore = performance.now() - start;
    const { size } = await stat(join(folder, "state"));
    if (!first || !second) throw new Error("v86 saved no states");
    return { firstPause: first.pause, firstTotal: first.total, secondPause: second.pause, secondBytes: size, restore };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function bootQemu(folder: string, guest: GuestOptions, extra: readonly string[]) {
  const socketPath = join(folder, "monitor");
  const [program, ...args] = QEMU.command(guest);
  const child = spawn(program, [...args, "-monitor", `unix:${socketPath},server=on,wait=off`, ...extra], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  let seen = "";
  child.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  const until = async (done: () => boolean): Promise<void> => {
    const deadline = performance.now() + TIMEOUT_MS;
    while (!done()) {
      if (performance.now() > deadline) throw new Error(`QEMU did not get there in time:\n${seen.slice(-500)}`);
      await sleep(2);
    }
  };
  let monitor: Socket | undefined;
  let replies = "";
  return {
    output: (pattern: RegExp) => until(() => pattern.test(seen)),
    type: (text: string) => void child.stdin.write(text),
    kill: () => void child.kill("SIGKILL"),
    /** Runs a command of QEMU's human monitor; it is done when the next prompt appears. */
    async monitor(command: string): Promise<void> {
      if (!monitor) {
        monitor = connectSocket(socketPath);
        monitor.on("data", (chunk: Buffer) => {
          replies += chunk.toString();
        });
        await until(() => replies.includes("(qemu) "));
      }
      const from = replies.length;
      monitor.write(`${command}\n`);
      await until(() => replies.slice(from).includes("\n(qemu) "));
    },
  };
}
