import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { exportMachine, importMachine } from "../../../main/services/backup/machine-file.ts";
import { createCustom, createStarter } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { ustarHeader } from "../../../main/store/ustar.ts";
import { readText, writeText } from "../../support/disk-bytes.ts";
import { hasQemuTools, qemuImg } from "../../support/media/qemu-tools.ts";
import { endTestApp, startTestApp } from "../../support/test-app.ts";

const NAME = 'Büro <1> & "2"';
const SECTORS = [0, 5000, 131_071, 4_200_000 / 512] as const;
let folder: string;
let app: App;

beforeEach(async () => {
  ({ app, folder } = await startTestApp());
});

afterEach(() => endTestApp(app, folder));

const place = (name: string) => path.join(folder, name);
const topOf = (of: Machine, index = 0) => path.resolve(of.paths.folder, of.record.config.disks[index]?.file ?? "");

async function machineWithData(): Promise<Machine> {
  const machine = await createCustom(app.context, {
    ...{ name: NAME, description: "Line one\nline two", memoryMiB: 768, cpuCount: 2, firmware: "uefi" as const },
    ...{ kernel: null, initrd: null, commandLine: "", disks: [{ sizeMiB: 64 }, { sizeMiB: 40 }] },
  });
  for (const sector of SECTORS.map(Math.floor)) await writeText(topOf(machine), sector, `sector ${sector}`);
  return machine;
}

async function expectSameDisks(copy: Machine): Promise<void> {
  for (const sector of SECTORS.map(Math.floor)) expect(await readText(topOf(copy), sector)).toBe(`sector ${sector}`);
  expect(await readText(topOf(copy), 77)).toBe("");
}

const exported = async (name: string): Promise<string> => {
  const file = place(name);
  await exportMachine(app.context, await machineWithData(), file, false);
  return file;
};

describe("a machine exported for other products", () => {
  it.each(["box.ova", "box.ovf"])("comes back from %s with its settings and disks", async (name) => {
    const copy = await importMachine(app.context, await exported(name), undefined);
    expect(copy.record.config).toMatchObject({
      ...{ name: `${NAME} 2`, description: "Line one\nline two", memoryMiB: 768, cpuCount: 2, osType: "linux" },
      ...{ disks: [{ bus: "sata" }, { bus: "sata" }], adapters: [{ model: "e1000" }] },
      opticalDrives: [{ id: "cd0", file: null }],
    });
    await expectSameDisks(copy);
    const [machine] = app.context.registry.list();
    expect(machine?.record.snapshots).toEqual([]);
  });

  it.skipIf(!hasQemuTools)("has disks that qemu-img reads as ours", async () => {
    const file = await exported("box.ovf");
    expect(readdirSync(folder)).toEqual(
      expect.arrayContaining(["box.ovf", "box.mf", "box-disk1.vmdk", "box-disk2.vmdk"]),
    );
    expect(await qemuImg("info", "--output=json", place("box-disk1.vmdk"))).toContain("streamOptimized");
    await qemuImg("convert", "-O", "qcow2", place("box-disk1.vmdk"), place("read.qcow2"));
    for (const sector of SECTORS.map(Math.floor)) {
      expect(await readText(place("read.qcow2"), sector)).toBe(`sector ${sector}`);
    }
    expect(readFileSync(file, "utf8")).toContain("<Name>Büro &lt;1&gt; &amp; &quot;2&quot;</Name>");
  });

  it("has a manifest with the sums of all files", async () => {
    await exported("box.ovf");
    for (const name of ["box.ovf", "box-disk1.vmdk", "box-disk2.vmdk"]) {
      const sum = createHash("sha256")
        .update(readFileSync(place(name)))
        .digest("hex");
      expect(readFileSync(place("box.mf"), "utf8")).toContain(`SHA256(${name})= ${sum}\n`);
    }
  });

  it("writes over nothing, and leaves nothing behind when it fails", async () => {
    writeFileSync(place("box-disk1.vmdk"), "somebody's");
    await expect(exported("box.ovf")).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(readFileSync(place("box-disk1.vmdk"), "utf8")).toBe("somebody's");
    expect(readdirSync(folder).sort()).toEqual(["box-disk1.vmdk", "home", "starter"]);
  });

  it("is refused while it starts a kernel of this host", async () => {
    const starter = await createStarter(app.context, { name: "starter" });
    const attempt = exportMachine(app.context, starter, place("box.ova"), false);
    await expect(attempt).rejects.toMatchObject({ code: "UNSUPPORTED", details: { field: "file" } });
    expect(readdirSync(folder).sort()).toEqual(["home", "starter"]);
  });

  it("is refused when a disk differs from the manifest", async () => {
    const file = await exported("box.ovf");
    const disk = readFileSync(place("box-disk1.vmdk"));
    disk[70_000] = (disk[70_000] ?? 0) ^ 1;
    writeFileSync(place("box-disk1.vmdk"), disk);
    const attempt = importMachine(app.context, file, "copy");
    await expect(attempt).rejects.toMatchObject({ code: "INVALID_FILE", details: { file: place("box-disk1.vmdk") } });
    expect(app.context.registry.list()).toHaveLength(1);
  });
});

describe.skipIf(!hasQemuTools)("a machine of another product", () => {
  const source = () => place("source");

  /** The folder of another product's machine, with a disk in `format` that says "from elsewhere". */
  async function otherMachine(format: "vdi" | "vmdk", settings: string, text: string): Promise<string> {
    mkdirSync(source());
    const disk = await createCustom(app.context, {
      ...{ name: "tool", description: "", memoryMiB: 64, kernel: null, initrd: null, commandLine: "" },
      disks: [{ sizeMiB: 8 }],
    });
    await writeText(topOf(disk), 9, "from elsewhere");
    await qemuImg("convert", "-O", format, topOf(disk), path.join(source(), `box.${format}`));
    writeFileSync(path.join(source(), settings), text);
    return source();
  }

  it("is imported from VirtualBox's folder", async () => {
    const given = await otherMachine(
      "vdi",
      "Box.vbox",
      `<?xml version="1.0"?>
      <VirtualBox xmlns="http://www.virtualbox.org/" version="1.19-linux">
        <Machine uuid="{1}" name="Old box" OSType="Ubuntu_64">
          <MediaRegistry><HardDisks><HardDisk uuid="{disk}" location="box.vdi" format="VDI" type="Normal"/></HardDisks></MediaRegistry>
          <Hardware>
            <CPU count="3"/><Memory RAMSize="1024"/><Firmware type="EFI"/>
            <Network><Adapter slot="0" enabled="true" type="82540EM"/><Adapter slot="1" enabled="false" type="virtio"/></Network>
            <StorageControllers>
              <StorageController name="SATA" type="AHCI"><AttachedDevice type="HardDisk" port="0"><Image uuid="{disk}"/></AttachedDevice></StorageController>
              <StorageController name="IDE" type="PIIX4"><AttachedDevice type="DVD" port="1"/></StorageController>
            </StorageControllers>
          </Hardware>
        </Machine>
      </VirtualBox>`,
    );
    const machine = await importMachine(app.context, given, undefined);
    expect(machine.record.config).toMatchObject({
      ...{ name: "Old box", osType: "linux", memoryMiB: 1024, cpuCount: 3, boot: { firmware: "uefi", kernel: null } },
      ...{ disks: [{ bus: "sata" }], opticalDrives: [{ file: null }] },
    });
    expect(machine.record.config.adapters).toHaveLength(1);
    expect(await readText(topOf(machine), 9)).toBe("from elsewhere");
  });

  it("is imported from VMware's folder", async () => {
    const given = await otherMachine(
      "vmdk",
      "Box.vmx",
      [
        ...[
          'config.version = "8"',
          'displayName = "Gr|FC|DFe"',
          'memsize = "512"',
          'numvcpus = "2"',
          'guestOS = "other"',
        ],
        ...['ide0:0.present = "TRUE"', 'ide0:0.fileName = "box.vmdk"', 'ethernet0.present = "TRUE"'],
        ...['ide1:0.present = "TRUE"', 'ide1:0.deviceType = "cdrom-image"', 'ide1:0.fileName = "/elsewhere.iso"'],
      ].join("\n"),
    );
    const machine = await importMachine(app.context, given, "mine");
    expect(machine.record.config).toMatchObject({
      ...{ name: "mine", osType: "other", memoryMiB: 512, cpuCount: 2, boot: { firmware: "bios" } },
      ...{ disks: [{ bus: "ide" }], opticalDrives: [{ file: null }], adapters: [{ model: "e1000" }] },
    });
    expect(await readText(topOf(machine), 9)).toBe("from elsewhere");
  });

  it.each([
    ["../secret.vdi", "lies elsewhere"],
    ["/etc/hostname", "lies elsewhere"],
    ["gone.vdi", "is missing"],
  ])("is refused when its disk is %s", async (location, problem) => {
    writeFileSync(place("secret.vdi"), "secret");
    const text = `<VirtualBox><Machine name="x"><MediaRegistry><HardDisk uuid="d" location="${location}"/></MediaRegistry>
      <StorageController type="AHCI"><AttachedDevice type="HardDisk"><Image uuid="d"/></AttachedDevice></StorageController></Machine></VirtualBox>`;
    const given = await otherMachine("vdi", "Box.vbox", text);
    await expect(importMachine(app.context, given, undefined)).rejects.toMatchObject({
      ...{ code: "NOT_FOUND", message: expect.stringContaining(problem) as string },
    });
  });
});

describe("a description that makes no sense", () => {
  it.each([
    ["x.ovf", "<a>", /not XML|not an OVF/],
    ["x.ovf", "<Envelope/>", /describes 0 machines/],
    ["x.ovf", '<!DOCTYPE a [<!ENTITY b "c">]><Envelope/>', /entities/],
    ["x.ovf", "<a>".repeat(20_000), /not XML|not an OVF/],
    ["x.vbox", "<Envelope/>", /not a machine of VirtualBox/],
    ["x.vmx", "hello", /not a machine of VMware/],
    ["x.ova", "short", /descriptor/],
  ])("is refused as %s: %#", async (name, text, message) => {
    writeFileSync(place(name), text);
    const attempt = importMachine(app.context, place(name), undefined);
    await expect(attempt).rejects.toMatchObject({
      code: "INVALID_FILE",
      message: expect.stringMatching(message) as string,
    });
    expect(app.context.registry.list()).toEqual([]);
  });

  it.each(["../x.ovf", "a/x.ovf", ".x.ovf", "a\\x.ovf"])("is refused in an archive as %s", async (name) => {
    const content = Buffer.alloc(512, "<Envelope/>");
    writeFileSync(place("x.ova"), Buffer.concat([ustarHeader({ name, sizeBytes: 512 }), content, Buffer.alloc(1024)]));
    await expect(importMachine(app.context, place("x.ova"), undefined)).rejects.toMatchObject({ code: "INVALID_FILE" });
  });

  it("is refused when the archive is cut off", async () => {
    const file = await exported("box.ova");
    const bytes = readFileSync(file);
    await copyFile(file, place("whole.ova"));
    writeFileSync(file, bytes.subarray(0, bytes.length - 20_000));
    const attempt = importMachine(app.context, file, "copy");
    await expect(attempt).rejects.toMatchObject({ code: "INVALID_FILE" });
    expect(readdirSync(app.context.store.data.run).filter((name) => name.startsWith(".terrarium-"))).toEqual([]);
  });
});
