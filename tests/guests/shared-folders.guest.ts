// Linux's own 9P client on folders of this host: everything that people do with files, hot-plug, and a state saved with a file open.
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultMachineConfig } from "../../native-core/config/machine-config.ts";
import { hostInputs } from "../../native-core/host/host-inputs.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { FolderShare } from "../../native-core/host/shared-folders/folder-share.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { debianKernel, initramfs, kernelModules, LinuxGuest } from "../support/linux-guest.ts";
import { StarterVm } from "../support/vm/starter-vm.ts";

const MiB = 2 ** 20;
const MODULES = ["virtio_pci", "9pnet_virtio", "9p"];
const MOUNT = "mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 shared /new";

async function startGuest(shares: readonly FolderShare[] | undefined, chipset?: "q35"): Promise<LinuxGuest> {
  const guest = await LinuxGuest.start({
    flavour: "amd64",
    modules: MODULES,
    script: 'echo GUEST-READY; while read -r line; do eval "$line"; echo "do""ne"; done',
    createProcessor: coreProcessor(await interpreterModule()),
    memoryMib: 256,
    // The host's files take the host's time.
    parts: { inputs: hostInputs, ...(shares && { sharedFolders: shares }), ...(chipset && { chipset }) },
  });
  await guest.waitFor("GUEST-READY");
  return guest;
}

async function command(guest: LinuxGuest, line: string): Promise<string> {
  const from = guest.console.length;
  guest.type(`${line}\n`);
  await guest.waitFor("done\r\n", from);
  return guest.console.slice(from + line.length);
}

describe("Linux with shared folders", () => {
  let folder = "";
  let guest: LinuxGuest;
  const inGuest = (line: string): Promise<string> => command(guest, line);
  const at = (...names: string[]): string => join(folder, ...names);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "shared-folders-"));
    await mkdir(at("rw"));
    await mkdir(at("ro"));
    await writeFile(at("ro", "hello.txt"), "hello from the host\n");
    guest = await startGuest([
      new FolderShare({ name: "rw", path: at("rw"), readOnly: false }),
      new FolderShare({ name: "ro", path: at("ro"), readOnly: true }),
    ]);
    expect(await inGuest(`${MOUNT} && echo "MOUN""TED"`)).toContain("MOUNTED");
  }, 300_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("lists the folders at the root of the tree, and reads from one that is read-only", async () => {
    expect(await inGuest("ls -1 /new; cat /new/ro/hello.txt")).toMatch(/ro\r\nrw\r\nhello from the host/);
    expect(await inGuest("echo x > /new/ro/hello.txt; mkdir /new/ro/d; rm /new/ro/hello.txt")).toMatch(
      /(?:Read-only file system[^]*){3}/,
    );
    expect(await inGuest("mkdir /new/third")).toContain("Read-only file system");
  }, 120_000);

  it("writes, appends, truncates, renames, links and removes", async () => {
    await inGuest(
      "cd /new/rw; echo one > a; echo two >> a; mkdir -p d/e; mv a d/e/b; ln -s e/b d/link; ln d/e/b d/hard; cat d/link",
    );
    expect(await readFile(at("rw", "d", "e", "b"), "utf8")).toBe("one\ntwo\n");
    expect(await readlink(at("rw", "d", "link"))).toBe("e/b");
    expect((await stat(at("rw", "d", "hard"))).nlink).toBe(2);
    expect(
      await inGuest("cat d/link; truncate -s 3 d/e/b; chmod 600 d/e/b; touch -d '2020-01-02 03:04:05' d/e/b"),
    ).toContain("one\r\ntwo");
    const { size, mode, mtime } = await stat(at("rw", "d", "e", "b"));
    expect([size, mode & 0o777, mtime.toISOString()]).toEqual([3, 0o600, "2020-01-02T03:04:05.000Z"]);
    await inGuest("cd /; rm -r /new/rw/d");
    expect(await readdir(at("rw"))).toEqual([]);
  }, 120_000);

  it("lists a thousand files", async () => {
    await mkdir(at("rw", "many"));
    for (let index = 0; index < 1000; index++) await writeFile(at("rw", "many", `file ${index}`), `${index}`);
    expect(await inGuest("ls -l /new/rw/many | wc -l; cat /new/rw/many/* | wc -c")).toMatch(/1001\r\n2890\r/);
  }, 120_000);

  it("carries a large file both ways unchanged", async () => {
    const content = randomBytes(64 * MiB);
    await writeFile(at("rw", "large"), content);
    const sum = createHash("md5").update(content).digest("hex");
    expect(await inGuest("md5sum /new/rw/large")).toContain(sum);
    await inGuest("cp /new/rw/large /new/rw/copy; sync");
    expect(
      createHash("md5")
        .update(await readFile(at("rw", "copy")))
        .digest("hex"),
    ).toBe(sum);
  }, 300_000);

  it("does not leave the folder by links of the host, which are read as text", async () => {
    await symlink("/etc", at("rw", "etc"));
    // The guest follows it in its own tree.
    expect(await inGuest("readlink /new/rw/etc; cat /new/rw/etc/hostname")).toMatch(/\/etc\r\n[^]*No such file/);
  }, 120_000);

  it("goes on after a restore with a file open, and finds folders that were shared meanwhile", async () => {
    await writeFile(at("rw", "log"), "first\n");
    await inGuest("exec 5>>/new/rw/log; echo second >&5");
    expect(await readFile(at("rw", "log"), "utf8")).toBe("first\nsecond\n");
    const state = guest.machine.save();
    guest.machine.restore(state);
    guest.machine.resume();
    await inGuest("echo third >&5; exec 5>&-");
    expect(await readFile(at("rw", "log"), "utf8")).toBe("first\nsecond\nthird\n");
    await guest.machine.shareFolders([new FolderShare({ name: "rw", path: at("rw"), readOnly: false })]);
    expect(await inGuest("ls /new; cat /new/ro/hello.txt")).toMatch(/rw\r\n[^]*(?:Stale|No such)/);
  }, 120_000);
});

it.each([undefined, "q35"] as const)(
  "Linux finds the device when the first folder is shared while it runs (%s)",
  async (chipset) => {
    const folder = await mkdtemp(join(tmpdir(), "shared-folders-"));
    try {
      await writeFile(join(folder, "here"), "plugged\n");
      const guest = await startGuest(undefined, chipset);
      expect(await command(guest, MOUNT)).toMatch(/mount/);
      await guest.machine.shareFolders([new FolderShare({ name: "late", path: folder, readOnly: true })]);
      expect(await command(guest, `until ${MOUNT} 2>/dev/null; do sleep 0.1; done; cat /new/late/here`)).toContain(
        "plugged",
      );
      expect(Object.keys(guest.machine.save().devices)).toContain("virtio-9p0");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  300_000,
);

it("A VM process shares folders, saves open files, and has the device that the saved guest had", async () => {
  const folder = await mkdtemp(join(tmpdir(), "shared-folders-"));
  const papers = { name: "papers", path: join(folder, "papers"), readOnly: false };
  for (const name of ["papers", "chunks", "logs", "snapshots"]) await mkdir(join(folder, name));
  await writeFile(join(papers.path, "note"), "hello\n");
  const kernelFile = (await debianKernel("amd64")).file;
  const initrdFile = join(folder, "initrd.img");
  const script = 'echo GUEST-READY; while read -r line; do eval "$line"; done';
  await writeFile(initrdFile, (await initramfs(script, await kernelModules("amd64", MODULES))).bytes);
  const boot = { kernel: kernelFile, initrd: initrdFile, commandLine: "console=ttyS0 panic=-1 quiet" };
  let sockets = 0;
  const start = (sharedFolders: (typeof papers)[], restoreFrom: string | null) =>
    StarterVm.start({
      machineId: "0123456789ab",
      config: { ...defaultMachineConfig("test", boot), memoryMiB: 192, sharedFolders },
      ...{ folder, kernelFile, initrdFile, disks: [], restoreFrom, startPaused: false },
      ...{ chunkFolder: join(folder, "chunks"), logFolder: join(folder, "logs") },
      dataSocket: join(folder, `data-${++sockets}.sock`),
    });
  const snapshot = async (vm: StarterVm, name: string): Promise<string> => {
    const target = join(folder, "snapshots", name);
    await vm.client.request("takeSnapshot", { folder: target, parentFolder: null, overlays: [] });
    return target;
  };
  const mounted = `until ${MOUNT} 2>/dev/null; do sleep 0.1; done; cat /new/papers/note`;
  try {
    const first = await start([], null);
    await first.expect(/GUEST-READY/, 180_000);
    const without = await snapshot(first, "without");
    await first.client.request("shareFolders", { folders: [papers] });
    expect(await first.command(mounted)).toBe("hello");
    await first.command("exec 5>>/new/papers/log; echo one >&5");
    const open = await snapshot(first, "open");
    await first.command("echo two >&5");
    await first.powerOff();

    // Nothing is shared any more, but the guest has the device.
    const second = await start([], open);
    expect(await second.command("cat /new/papers/note 2>&1")).toMatch(/Stale|No such/);
    await second.client.request("shareFolders", { folders: [papers] });
    await second.command("echo three >&5");
    expect(await readFile(join(papers.path, "log"), "utf8")).toMatch(/^one\n[^]*three\n$/);
    await second.powerOff();

    // The guest that was saved without the device is given it.
    const third = await start([papers], without);
    expect(await third.command(mounted)).toBe("hello");
    await third.powerOff();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 600_000);
