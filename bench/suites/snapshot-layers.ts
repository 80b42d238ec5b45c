// Part of the suite `snapshot`: the disk of a running guest. A snapshot, 256 MiB of changes, another snapshot; then the later one is deleted, so
// that those changes are merged into the layer above. QEMU's external snapshots do the same by QMP and qemu-img.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, open, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { RpcClient } from "../../main/rpc/client.ts";
import { directory, file } from "../../main/services/unattended/cpio.ts";
import { amd64Image, type GuestImage, kernelModules } from "../guests/images.ts";
import { QEMU } from "../peers/qemu.ts";
import { withHost } from "../peers/terrarium-host.ts";

const run = promisify(execFile);
const COMMAND_LINE = "console=ttyS0 quiet";
const TIMEOUT_MS = 300_000;
const MEGABYTES = 256;

/** Milliseconds for the snapshots, MiB/s for the rest. */
export interface LayerSample {
  /** Of the running guest's disk: how long the guest stands still, or the command takes. */
  diskSnapshot: number;
  liveMerge: number;
  mergeUp: number;
  mergeDown: number;
  /** What the host's disk takes by itself, written and synced. */
  hostDisk: number;
}

export async function layersImage(): Promise<GuestImage> {
  const modules = await kernelModules(["virtio_pci", "virtio_blk"]);
  const init = `#!/bin/busybox sh
B=/bin/busybox
$B mount -t devtmpfs dev /dev
$B mount -t tmpfs tmpfs /tmp
$B --install -s /bin
export PATH=/bin
for m in ${modules.map(({ name }) => name).join(" ")}; do insmod /modules/$m.ko; done
while [ ! -b /dev/vda ]; do usleep 10000; done
dd if=/dev/urandom of=/tmp/data bs=1M count=64 2>/dev/null
echo "MARK idle"
exec sh
`;
  return amd64Image("layers", init, [
    directory("modules"),
    ...modules.map(({ name, data }) => file(`modules/${name}.ko`, data)),
  ]);
}

/** Has the guest write to its whole disk; it answers with \`W\` and the product. */
function writing(pass: number): { readonly text: string; readonly answer: string } {
  const each = `dd if=/tmp/data of=/dev/vda bs=1M seek=$((i*64)) conv=fsync 2>/dev/null`;
  return { text: `for i in 0 1 2 3; do ${each}; done; echo W$((${pass}*7))\n`, answer: `W${pass * 7}` };
}

const speed = (ms: number) => (MEGABYTES / ms) * 1000;

export async function ourLayers({ kernel, initrd }: GuestImage): Promise<Partial<LayerSample>> {
  const hostDisk = speed(await plainWrite());
  return withHost(async ({ client }) => {
    const disks = [{ sizeMiB: MEGABYTES }];
    const machine = { name: "layers", kernel, initrd, commandLine: COMMAND_LINE, memoryMiB: 256, disks };
    const { id } = await client.machines.create(machine);
    await client.machines.start({ id });
    await client.machines.waitForOutput({ id, pattern: "MARK idle", timeoutMs: TIMEOUT_MS });
    await client.snapshots.take({ id });
    const write = async (pass: number) => {
      const { text, answer } = writing(pass);
      await client.machines.sendText({ id, text });
      await client.machines.waitForOutput({ id, pattern: answer, timeoutMs: TIMEOUT_MS });
      return client.snapshots.take({ id });
    };
    const second = await write(3);
    const liveMerge = speed(await timedDelete(client, second.id));
    const third = await write(5);
    await client.machines.stop({ id, how: "power-off" });
    const mergeUp = speed(await timedDelete(client, third.id));
    return { liveMerge, mergeUp, hostDisk, ...(second.pauseMs === null ? {} : { diskSnapshot: second.pauseMs }) };
  });
}

/** From the request until the layer is merged away for good. */
async function timedDelete(client: RpcClient, snapshotId: string): Promise<number> {
  const merged = async () => (await client.tasks.list()).filter(({ title }) => title.startsWith("Merging disk layers"));
  const before = (await merged()).length;
  const start = performance.now();
  await client.snapshots.delete({ snapshotId, permanently: true });
  for (;;) {
    const tasks = await merged();
    if (tasks.length > before && tasks.every(({ state }) => state !== "running")) return performance.now() - start;
    if (performance.now() - start > TIMEOUT_MS) throw new Error("the snapshot was not merged away in time");
    await sleep(5);
  }
}

/** A file of as many bytes, written and synced. */
async function plainWrite(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "terrarium-bench-"));
  const handle = await open(join(folder, "data"), "w");
  try {
    const block = Buffer.alloc(1 << 20, 0x5a);
    const start = performance.now();
    for (let written = 0; written < MEGABYTES; written++) await handle.write(block);
    await handle.sync();
    return performance.now() - start;
  } finally {
    await handle.close();
    await rm(folder, { recursive: true, force: true });
  }
}

export async function qemuLayers({ kernel, initrd }: GuestImage): Promise<Partial<LayerSample>> {
  const folder = await mkdtemp(join(tmpdir(), "terrarium-bench-"));
  const layer = (name: string) => join(folder, `${name}.qcow2`);
  await run("qemu-img", ["create", "-q", "-f", "qcow2", layer("base"), `${MEGABYTES}M`]);
  const guest = await bootQemu(folder, layer("base"), kernel, initrd);
  try {
    await guest.output(/MARK idle/);
    const write = async (pass: number) => {
      const { text, answer } = writing(pass);
      guest.type(text);
      await guest.output(new RegExp(answer));
    };
    const snapshot = (name: string) =>
      timed(() =>
        guest.command("blockdev-snapshot-sync", { device: "virtio0", "snapshot-file": layer(name), format: "qcow2" }),
      );
    await snapshot("one");
    await write(3);
    const diskSnapshot = await snapshot("two");
    const liveMerge = await timed(async () => {
      await guest.command("block-stream", { device: "virtio0", base: layer("base") });
      await guest.event("BLOCK_JOB_COMPLETED");
    });
    await write(5);
    await snapshot("three");
    await guest.quit();
    const mergeUp = await timed(() =>
      run("qemu-img", ["rebase", "-f", "qcow2", "-F", "qcow2", "-b", layer("base"), layer("three")]),
    );
    const mergeDown = await timed(() => run("qemu-img", ["commit", "-q", layer("three")]));
    return { diskSnapshot, liveMerge: speed(liveMerge), mergeUp: speed(mergeUp), mergeDown: speed(mergeDown) };
  } finally {
    guest.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

interface QmpMessage {
  readonly QMP?: unknown;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
}

/** A guest of QEMU's that is driven by its console and by QMP. */
async function bootQemu(folder: string, disk: string, kernel: string, initrd: string) {
  const socketPath = join(folder, "qmp");
  const [program, ...args] = QEMU.command({ kernel, initrd, commandLine: COMMAND_LINE, memoryMiB: 256, disk });
  const child = spawn(program, [...args, "-qmp", `unix:${socketPath},server=on,wait=off`], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let seen = "";
  child.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  const messages: QmpMessage[] = [];
  const until = async <T>(find: () => T | undefined): Promise<T> => {
    const deadline = performance.now() + TIMEOUT_MS;
    for (let found = find(); ; found = find()) {
      if (found !== undefined) return found;
      if (performance.now() > deadline) throw new Error(`QEMU did not get there in time:\n${seen.slice(-500)}`);
      await sleep(2);
    }
  };
  const take = (isWanted: (message: QmpMessage) => boolean) =>
    until(() => {
      const index = messages.findIndex(isWanted);
      return index < 0 ? undefined : messages.splice(index, 1)[0];
    });
  const output = (pattern: RegExp) => until(() => pattern.test(seen) || undefined);
  await until(() => child.exitCode ?? (seen === "" ? undefined : 0));
  const socket = connect(socketPath);
  // It ends with QEMU, at whatever moment.
  socket.on("error", () => undefined);
  const lines = createInterface({ input: socket });
  lines.on("error", () => undefined);
  lines.on("line", (line) => void messages.push(JSON.parse(line) as QmpMessage));
  await take(({ QMP }) => QMP !== undefined);
  const command = async (execute: string, argument: object) => {
    socket.write(`${JSON.stringify({ execute, arguments: argument })}\n`);
    const { error } = await take((message) => "return" in message || "error" in message);
    if (error) throw new Error(`${execute}: ${error.desc}`);
  };
  await command("qmp_capabilities", {});
  return {
    output,
    command,
    async quit() {
      socket.write(`${JSON.stringify({ execute: "quit" })}\n`);
      await ended;
    },
    event: (name: string) => take(({ event }) => event === name),
    type: (text: string) => void child.stdin.write(text),
    kill: () => void child.kill("SIGKILL"),
  };
}
