// The VM process as main sees it, with a real guest in it: life cycle, consoles, snapshots, and every way to end.
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { VmLauncher } from "../../main/supervisor/launcher.ts";
import { launchNodeProcess } from "../../main/supervisor/node-launcher.ts";
import { VmClient } from "../../main/supervisor/vm-client.ts";
import type { SnapshotResult, StartRequest } from "../../native-core/protocol/engine.ts";
import { hasQemuTools, qemuCheck, temporaryFolder } from "../support/media/qemu-tools.ts";
import { StarterMachine, StarterVm } from "../support/vm/starter-vm.ts";
import { canTrace, SystemCallRecord } from "../support/vm/system-calls.ts";

const MODULE = fileURLToPath(new URL("../../native-core/host/vm-process.ts", import.meta.url));
const TIMEOUT_MS = 240_000;
const temporary = temporaryFolder("vm-process");

let machine: StarterMachine;
/** A snapshot of the booted machine: other tests continue from it instead of booting. */
let ready: string;
/** What taking it gave, and what the guest said afterwards. */
let firstResult: SnapshotResult;
let afterSnapshot: string;
const running: StarterVm[] = [];

async function start(changes: Partial<StartRequest> = {}, launcher?: VmLauncher): Promise<StarterVm> {
  const vm = await StarterVm.start(machine.request(changes), launcher);
  running.push(vm);
  return vm;
}

/** A new layer on the disk as it was at the snapshot. */
const overlay = (name: string) => machine.layerOn(machine.disk, name);

let continued = 0;
async function continueReady(
  changes: Partial<StartRequest> = {},
  launcher?: VmLauncher,
): Promise<StarterVm & { disk: string }> {
  const disk = await overlay(`continued-${++continued}.qcow2`);
  const disks = [{ id: "disk0", file: disk, format: "qcow2" as const, readOnly: false }];
  return Object.assign(await start({ restoreFrom: ready, disks, ...changes }, launcher), { disk });
}

beforeAll(async () => {
  machine = await StarterMachine.create(temporary.path);
  ready = join(machine.folder, "snapshots", "ready");
  const vm = await (await start()).booted();
  await vm.command("echo before > /root/file; sync; echo volatile > /tmp/file");
  firstResult = await vm.client.request("takeSnapshot", {
    folder: ready,
    parentFolder: null,
    overlays: [{ diskId: "disk0", file: join(machine.folder, "disks", "after.qcow2") }],
  });
  afterSnapshot = await vm.command("echo after > /root/file; sync; cat /root/file /tmp/file");
  await vm.powerOff();
}, TIMEOUT_MS);

afterEach(async () => {
  for (const vm of running.splice(0)) if (!vm.client.hasExited) await vm.kill();
});
afterAll(() => temporary.remove());

describe("a VM process", () => {
  it("takes a live snapshot: the guest goes on as if nothing had been", () => {
    expect(afterSnapshot).toBe("after\nvolatile");
    expect(firstResult.totalPages).toBeGreaterThan(1000);
    expect(firstResult.thumbnailPng?.subarray(1, 4)).toEqual(new TextEncoder().encode("PNG"));
  });

  it(
    "restores a snapshot: memory and disk are as they were then",
    async () => {
      const vm = await continueReady();
      expect(await vm.command("cat /root/file /tmp/file")).toBe("before\nvolatile");
      const metrics = await vm.client.request("metrics", null);
      expect(metrics.guestBytes).toBe(128 << 20);
      await vm.powerOff();
    },
    TIMEOUT_MS,
  );

  it(
    "runs several restored copies side by side, each with its own memory and disk",
    async () => {
      const copies = await Promise.all([continueReady(), continueReady(), continueReady()]);
      for (const [index, vm] of copies.entries()) await vm.command(`echo copy-${index} | tee /tmp/file > /root/file`);
      for (const [index, vm] of copies.entries()) {
        expect(await vm.command("cat /root/file /tmp/file")).toBe(`copy-${index}\ncopy-${index}`);
        await vm.powerOff();
      }
    },
    TIMEOUT_MS,
  );

  it(
    "saves incrementally: a second snapshot holds only what changed, and both restore",
    async () => {
      const vm = await continueReady();
      await vm.command("echo second > /tmp/file");
      const second = join(machine.folder, "snapshots", "second");
      const disk2 = join(machine.folder, "disks", "second-after.qcow2");
      const result = await vm.client.request("takeSnapshot", {
        folder: second,
        parentFolder: ready,
        overlays: [{ diskId: "disk0", file: disk2 }],
      });
      expect(result.newPages).toBeLessThan(result.totalPages / 4);
      await vm.powerOff();
      const again = await start({
        restoreFrom: second,
        disks: [{ id: "disk0", file: disk2, format: "qcow2", readOnly: false }],
      });
      expect(await again.command("cat /tmp/file")).toBe("second");
      await again.powerOff();
    },
    TIMEOUT_MS,
  );

  it(
    "saves its state, ends, and continues where it was",
    async () => {
      const vm = await continueReady();
      await vm.command("export KEPT=yes");
      const saved = join(machine.folder, "saved");
      await vm.client.request("saveState", { folder: saved, parentFolder: ready });
      expect(await vm.client.exited).toEqual({ code: 0, signal: null });
      expect(vm.stopReason).toBe("saved");
      const disks = [{ id: "disk0", file: vm.disk, format: "qcow2" as const, readOnly: false }];
      const again = await start({ restoreFrom: saved, disks, startPaused: true });
      await again.client.request("resume", null);
      expect(await again.command("echo $KEPT")).toBe("yes");
      await again.powerOff();
    },
    TIMEOUT_MS,
  );

  it(
    "stands still while paused, and refuses what makes no sense in its state",
    async () => {
      const vm = await continueReady();
      await vm.client.request("pause", null);
      await vm.client.request("sendText", { port: 0, text: "echo now\n" });
      const before = await vm.client.request("metrics", null);
      const after = await vm.client.request("metrics", null);
      expect([before.mips >= 0, after.mips]).toEqual([true, 0]);
      await expect(vm.client.request("acpiShutdown", null)).rejects.toMatchObject({ code: "INVALID_STATE" });
      await expect(vm.client.request("start", vm.request)).rejects.toMatchObject({ code: "INVALID_STATE" });
      await vm.client.request("resume", null);
      await vm.expect(/\nnow/);
      await vm.powerOff();
    },
    TIMEOUT_MS,
  );

  it(
    "shuts down by its power button and ends in order",
    async () => {
      const vm = await continueReady();
      await vm.command("echo kept > /root/file");
      await vm.client.request("acpiShutdown", null);
      expect(await vm.client.exited).toEqual({ code: 0, signal: null });
      expect(vm.stopReason).toBe("guest-shutdown");
      expect(existsSync(vm.request.dataSocket)).toBe(false);
      expect(readdirSync(join(machine.folder, "disks")).filter((name) => name.includes(".lock-"))).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    "boots again after a reset",
    async () => {
      const vm = await continueReady();
      await vm.command("true");
      await vm.client.request("reset", null);
      await vm.booted();
      expect(await vm.command("cat /root/file; ls /tmp/file")).toContain("before");
      expect(vm.events).toContainEqual({ kind: "reset" });
      await vm.powerOff();
    },
    TIMEOUT_MS,
  );

  it(
    "shows its screen over RFB and as a picture, and gives the console's past to who asks",
    async () => {
      const vm = await continueReady();
      await vm.command("echo shown");
      const socket = createConnection(vm.request.dataSocket);
      socket.write("rfb\n");
      const [greeting] = (await once(socket, "data")) as [Buffer];
      expect(greeting.toString()).toBe("RFB 003.008\n");
      socket.destroy();
      const { png, width } = await vm.client.request("screenshot", { thumbnail: false });
      expect(Buffer.from(png).readUInt32BE(16)).toBe(width);
      const late = createConnection(vm.request.dataSocket);
      late.write("console 0\n");
      const [past] = (await once(late, "data")) as [Buffer];
      expect(past.toString()).toContain("shown");
      late.destroy();
      await vm.powerOff();
      expect(readFileSync(join(machine.folder, "logs", "ttyS0.log"), "utf8")).toContain("shown");
    },
    TIMEOUT_MS,
  );

  it.skipIf(!hasQemuTools)(
    "killed at any moment leaves sound disks with all that the guest had synced",
    async () => {
      const vm = await continueReady();
      await vm.command("echo synced > /root/file; sync");
      await vm.client.request("sendText", { port: 0, text: "dd if=/dev/urandom of=/root/big bs=64k count=400\n" });
      await vm.expect(/dd if=[^]*\n/);
      await vm.kill();
      const { corruptions, errors } = await qemuCheck(vm.disk);
      expect({ corruptions, errors }).toEqual({ corruptions: 0, errors: 0 });
      // The lock of the dead is no obstacle; the file system recovers from its journal.
      const disks = [{ id: "disk0", file: vm.disk, format: "qcow2" as const, readOnly: false }];
      const again = await (await start({ disks })).booted();
      expect(await again.command("cat /root/file")).toBe("synced");
      await again.powerOff();
    },
    TIMEOUT_MS,
  );

  // Needs strace, which sees what the host's kernel was told.
  it.skipIf(!canTrace)(
    "has the host put on disk what a guest syncs: first its data, then fdatasync, and only then the guest goes on",
    async () => {
      const record = new SystemCallRecord(temporary.file("calls.txt"));
      const launcher = record.launcher(["pwrite64", "pwritev", "pwritev2", "fdatasync", "fsync"], 1 << 16);
      const vm = await continueReady({}, launcher);
      for (const mark of ["flushed-first", "flushed-again"]) {
        await vm.command(`echo ${mark} > /root/file; sync`);
        // Nothing is waited for here: the guest got its answer, so all must have happened.
        const calls = record.read();
        const write = calls.find(({ text, file }) => file === vm.disk && text.includes(mark));
        const written = write?.ended ?? Infinity;
        const sync = calls.find(({ name, file, began }) => name === "fdatasync" && file === vm.disk && began > written);
        expect(write?.result).toBeGreaterThan(0);
        expect(sync).toMatchObject({ result: 0, ended: expect.any(Number) });
      }
      await vm.powerOff();
    },
    TIMEOUT_MS,
  );

  it(
    "stops in order when main is gone",
    async () => {
      const disk = await overlay("orphan.qcow2");
      const child = fork(MODULE, [], {
        serialization: "advanced",
        execArgv: [],
        stdio: ["ignore", "ignore", "pipe", "ipc"],
      });
      const disks = [{ id: "disk0", file: disk, format: "qcow2" as const, readOnly: false }];
      child.send({ id: 1, request: "start", argument: machine.request({ restoreFrom: ready, disks }) });
      await new Promise<void>((resolve, reject) => {
        child.on("message", (message: { kind: string }) => {
          if (message.kind === "reply") resolve();
          if (message.kind === "failure") reject(new Error(JSON.stringify(message)));
        });
      });
      child.disconnect();
      const [code] = (await once(child, "exit")) as [number];
      expect(code).toBe(0);
      expect(
        readdirSync(join(machine.folder, "disks")).filter((name) => name.startsWith("orphan.qcow2.lock-")),
      ).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    "refuses a second machine on the same disk",
    async () => {
      const vm = await continueReady();
      const disks = [{ id: "disk0", file: vm.disk, format: "qcow2" as const, readOnly: false }];
      await expect(StarterVm.start(machine.request({ disks }))).rejects.toMatchObject({
        code: "IN_USE",
        details: { file: vm.disk },
      });
      expect(await vm.command("echo still here")).toBe("still here");
      await vm.powerOff();
    },
    TIMEOUT_MS,
  );
});

describe("a VM process that can't start", () => {
  async function refusal(changes: Parameters<StarterMachine["request"]>[0]): Promise<unknown> {
    const client = await VmClient.connect(launchNodeProcess(MODULE));
    const failure = await client.request("start", machine.request(changes)).then(
      () => undefined,
      (error: unknown) => error,
    );
    // It ends by itself; nobody has to clean up after it.
    await client.exited;
    return failure;
  }

  const wrongFile = (name: string, contents: string | Buffer) => {
    const path = temporary.file(name);
    writeFileSync(path, contents);
    return path;
  };

  it(
    "names the file and field of a kernel that is none, or is not there",
    async () => {
      const kernelFile = wrongFile("not-a-kernel", "#!/bin/sh\n");
      expect(await refusal({ kernelFile })).toMatchObject({ code: "INVALID_FILE", details: { file: kernelFile } });
      expect(await refusal({ kernelFile: temporary.file("nowhere") })).toMatchObject({
        code: "NOT_FOUND",
        details: { field: "boot.kernel" },
      });
    },
    TIMEOUT_MS,
  );

  it(
    "names the file of a disk that is cut off or foreign",
    async () => {
      const cut = wrongFile("cut.qcow2", readFileSync(machine.disk).subarray(0, 100_000));
      const disk = (file: string) => [{ id: "disk0", file, format: "qcow2" as const, readOnly: false }];
      expect(await refusal({ disks: disk(cut) })).toMatchObject({ code: "INVALID_FILE", details: { file: cut } });
      const foreign = wrongFile("foreign.vmdk", "KDMV and so on".padEnd(4096));
      expect(await refusal({ disks: disk(foreign) })).toMatchObject({
        code: "INVALID_FILE",
        details: { file: foreign, field: "magic" },
      });
    },
    TIMEOUT_MS,
  );

  it(
    "refuses a state of another machine by field, and a damaged one by file",
    async () => {
      const disks = [{ id: "disk0", file: await overlay("refused.qcow2"), format: "qcow2" as const, readOnly: false }];
      const request = machine.request();
      const config = { ...request.config, memoryMiB: 192 };
      expect(await refusal({ restoreFrom: ready, disks, config })).toMatchObject({
        code: "INVALID_STATE",
        details: { field: "memoryMiB" },
      });
      const damaged = temporary.file("damaged");
      mkdirSync(damaged);
      writeFileSync(join(damaged, "state.json"), readFileSync(join(ready, "state.json")).subarray(0, 5000));
      expect(await refusal({ restoreFrom: damaged, disks })).toMatchObject({
        code: "INVALID_FILE",
        details: { file: join(damaged, "state.json") },
      });
    },
    TIMEOUT_MS,
  );
});
