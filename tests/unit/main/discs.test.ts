// Machines that boot from discs: made from an ISO image, discs changed in every state, firmware found and checked.
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../main/services/app.ts";
import { findFirmware } from "../../../main/services/host/firmware-files.ts";
import { configure } from "../../../main/services/machines/configuration.ts";
import { createCustom } from "../../../main/services/machines/creation.ts";
import type { Machine } from "../../../main/services/machines/machine.ts";
import { waitForOutput } from "../../../main/services/machines/serial.ts";
import { convertImage } from "../../../main/services/media/convert.ts";
import { changeDisc, discEjected } from "../../../main/services/media/discs.ts";
import { describeMedium } from "../../../main/services/media/guess.ts";
import { startMachine } from "../../../main/services/snapshots/automatic.ts";
import { restoreSnapshot } from "../../../main/services/snapshots/restore.ts";
import { takeSnapshot } from "../../../main/services/snapshots/take.ts";
import { isoImage } from "../../support/iso-image.ts";
import { hasQemuTools, qemuImg, qemuIo } from "../../support/media/qemu-tools.ts";
import { openTestApp, temporaryFolder } from "../../support/test-app.ts";

let folder: string;
let app: App;
let iso: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  const firmware = path.join(folder, "firmware");
  await mkdir(firmware);
  for (const name of ["bios-256k.bin", "vgabios-stdvga.bin"]) await writeFile(path.join(firmware, name), name);
  app = await openTestApp(folder);
  iso = await isoFile("debian-12.11.0-amd64-netinst.iso", "Debian 12.11.0 amd64 n");
});

afterEach(async () => {
  await app.close("power-off");
  await rm(folder, { recursive: true });
});

async function isoFile(name: string, label: string): Promise<string> {
  const file = path.join(folder, name);
  const loader = new Uint8Array(2048);
  await writeFile(file, isoImage({ label, files: new Map([["BOOT", loader]]), boot: "BOOT" }));
  return file;
}

function fromDisc(file: string | null = iso): Promise<Machine> {
  const options = {
    name: "vm",
    description: "",
    memoryMiB: 256,
    kernel: null,
    initrd: null,
    commandLine: "",
    disks: [],
  };
  return createCustom(app.context, { ...options, iso: file });
}

const disc = (machine: Machine): string | null | undefined => machine.record.config.opticalDrives[0]?.file;

describe("a machine for a disc", () => {
  it("gets a drive with the disc, or an empty one, and starts through firmware", async () => {
    const machine = await fromDisc();
    expect(machine.record.config).toMatchObject({
      boot: { kernel: null, order: ["disk", "cdrom"] },
      opticalDrives: [{ id: "cd0", file: iso }],
    });
    await app.lifecycle.start(machine);
    expect(machine.state).toBe("running");
    await app.lifecycle.stop(machine, "power-off");
  });

  it("is given time for firmware's boot menu by one start, when that is asked for", async () => {
    const machine = await fromDisc();
    const menuAt = async (bootMenu: boolean) => {
      await startMachine(app.context, app.lifecycle, machine, { bootMenu });
      const pattern = "boot menu [\\d.]+ s";
      const { match } = await waitForOutput(machine, { port: 0, pattern, timeoutMs: 5000, fromOffset: 0 });
      return match;
    };
    expect(await menuAt(true)).toBe("boot menu 10 s");
    await app.lifecycle.stop(machine, "power-off");
    expect(await menuAt(false)).toBe("boot menu 0.5 s");
    await app.lifecycle.stop(machine, "save");
    await expect(menuAt(true)).rejects.toMatchObject({ code: "INVALID_STATE", details: { field: "state" } });
    expect(machine.state).toBe("saved");
  });

  it("keeps a snapshot before it boots from another disc than before, once", async () => {
    const machine = await fromDisc();
    const { config } = machine.record;
    await configure(app.context, machine, { ...config, boot: { ...config.boot, order: ["cdrom", "disk"] } });
    const start = async (hasNewDisc = false) => {
      const undo = await startMachine(app.context, app.lifecycle, machine);
      await app.lifecycle.stop(machine, "power-off");
      expect(undo).toBe(hasNewDisc ? machine.record.currentSnapshotId : null);
      return machine.record.snapshots
        .map(({ name, kind }) => `${kind} ${name}`)
        .filter((text) => text.includes("boot"));
    };
    // There was nothing to lose yet.
    expect(await start()).toEqual([]);
    await changeDisc(app.context, machine, { file: await isoFile("rescue.iso", "Rescue"), force: false });
    const taken = ["safety Before booting from rescue.iso"];
    expect(await start(true)).toEqual(taken);
    expect(await start()).toEqual(taken);
  });

  it("is not made from a file that is no disc, or is not there", async () => {
    const tiny = path.join(folder, "tiny.iso");
    await writeFile(tiny, "x");
    await expect(fromDisc(tiny)).rejects.toMatchObject({ code: "INVALID_FILE", details: { file: tiny } });
    const field = "opticalDrives.0.file";
    await expect(fromDisc(path.join(folder, "nowhere.iso"))).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { field },
    });
    expect(app.context.registry.list()).toEqual([]);
  });

  it("does not start without its disc, naming it", async () => {
    const machine = await fromDisc();
    await rm(iso);
    await expect(app.lifecycle.start(machine)).rejects.toMatchObject({ code: "NOT_FOUND", details: { file: iso } });
    expect(machine.state).toBe("powered-off");
  });
});

describe("a disc", () => {
  it("is changed while the machine is off and while it runs", async () => {
    const machine = await fromDisc(null);
    expect(await changeDisc(app.context, machine, { file: iso, force: false })).toBe(true);
    expect(disc(machine)).toBe(iso);
    await app.lifecycle.start(machine);
    const other = await isoFile("other.iso", "OTHER");
    expect(await changeDisc(app.context, machine, { driveId: "cd0", file: other, force: false })).toBe(true);
    expect(disc(machine)).toBe(other);
  });

  it("stays where it is while the guest keeps it, unless it is forced out", async () => {
    const machine = await fromDisc();
    await app.lifecycle.start(machine);
    expect(await changeDisc(app.context, machine, { file: null, force: false })).toBe(false);
    expect(disc(machine)).toBe(iso);
    expect(await changeDisc(app.context, machine, { file: null, force: true })).toBe(true);
    expect(disc(machine)).toBeNull();
  });

  it("is out after the guest ejected it", async () => {
    const machine = await fromDisc();
    await discEjected(app.context, machine, "cd0");
    await discEjected(app.context, machine, "gone");
    expect(disc(machine)).toBeNull();
  });

  it("is not changed under a saved guest, nor in a drive that is not there", async () => {
    const machine = await fromDisc();
    await expect(changeDisc(app.context, machine, { driveId: "cd7", file: iso, force: false })).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { field: "driveId" },
    });
    await app.lifecycle.start(machine);
    await app.lifecycle.stop(machine, "save");
    await expect(changeDisc(app.context, machine, { file: null, force: true })).rejects.toMatchObject({
      code: "INVALID_STATE",
    });
    expect(disc(machine)).toBe(iso);
  });
});

describe("an ISO image", () => {
  it.each([
    ["debian-12.11.0-amd64-netinst.iso", "Debian 12.11.0 amd64 n", "Debian 12.11", "linux", 1024],
    ["alpine-virt-3.20.1-x86_64.iso", "alpine-virt 3.20.1 x86_64", "Alpine Linux 3.20.1", "linux", 256],
    ["memtest86+x64.iso", "MT86PLUS", "Memtest86+", "other", 256],
    ["holiday-pictures.iso", "PICTURES", "holiday-pictures", "other", 1024],
  ])("called %s (%s) becomes a machine %s", async (name, label, machineName, osType, memoryMiB) => {
    const facts = await describeMedium(await isoFile(name, label));
    expect(facts).toMatchObject({ name: machineName, osType, memoryMiB, isIso: true, bootsBios: true });
  });
});

describe("firmware", () => {
  it("is refused when it is not what set-up fetched", async () => {
    const there = path.join(folder, "firmware");
    const sum = (text: string) => createHash("sha256").update(text).digest("hex");
    const sums = (second: string) => `${sum("bios-256k.bin")}  bios-256k.bin\n${sum(second)}  vgabios-stdvga.bin\n`;
    await writeFile(path.join(there, "SHA256SUMS"), sums("vgabios-stdvga.bin"));
    expect(await findFirmware(there)).toEqual({
      kind: "bios",
      biosFile: path.join(there, "bios-256k.bin"),
      videoBiosFile: path.join(there, "vgabios-stdvga.bin"),
    });
    await writeFile(path.join(there, "SHA256SUMS"), sums("something else"));
    await expect(findFirmware(there)).rejects.toMatchObject({
      code: "INVALID_FILE",
      details: { file: path.join(there, "vgabios-stdvga.bin"), remedy: expect.any(String) },
    });
  });
});

describe.skipIf(!hasQemuTools)("a machine with UEFI", () => {
  it("has variables of its own from its first start, and gets them back with a snapshot", async () => {
    await writeFile(path.join(folder, "firmware", "OVMF_CODE.fd"), "code");
    await writeFile(path.join(folder, "firmware", "OVMF_VARS.fd"), Buffer.alloc(128 << 10, 0x11));
    const machine = await fromDisc();
    const { config } = machine.record;
    await configure(app.context, machine, { ...config, boot: { ...config.boot, firmware: "uefi" } });
    const variables = () => {
      const disk = machine.record.config.disks.find(({ bus }) => bus === "nvram");
      return path.join(machine.paths.folder, disk?.file ?? "");
    };
    await app.lifecycle.start(machine);
    const snapshot = await takeSnapshot(app.context, machine, { name: "before", description: "" });
    await app.lifecycle.stop(machine, "power-off");
    // What an installer writes: an entry of its own to boot from.
    await qemuIo(variables(), "write -P 0x22 0 64k");
    expect(await qemuIo(variables(), "read -P 0x22 0 64k")).not.toContain("failed");
    await restoreSnapshot(app.context, app.lifecycle, machine, snapshot, { keepCurrent: false, start: false });
    expect(await qemuIo(variables(), "read -P 0x11 0 128k")).not.toContain("failed");
  });
});

describe.skipIf(!hasQemuTools)("a disk of another product", () => {
  const image = async (format: string): Promise<string> => {
    const raw = path.join(folder, "source.raw");
    const content = Buffer.alloc(4 << 20);
    content.write("the first sector");
    content.write("somewhere in the middle", 2 << 20);
    await writeFile(raw, content);
    const file = path.join(folder, `other.${format}`);
    await qemuImg("convert", "-f", "raw", "-O", format, raw, file);
    return file;
  };
  const withDisk = (file: string) =>
    createCustom(app.context, {
      ...{ name: "taken over", description: "", memoryMiB: 256, kernel: null, initrd: null, commandLine: "" },
      disks: [{ file }],
    });

  it("is converted into the machine's folder as a task, and the original stays", async () => {
    const file = await image("vdi");
    const machine = await withDisk(file);
    const [disk] = machine.record.config.disks;
    expect(disk).toMatchObject({
      id: "disk0",
      format: "qcow2",
      file: expect.stringMatching(/^disks\/disk0-.*\.qcow2$/),
    });
    const converted = path.join(machine.paths.folder, disk?.file ?? "");
    expect(await qemuImg("compare", converted, path.join(folder, "source.raw"))).toContain("Images are identical");
    expect(app.context.tasks.list()).toMatchObject([
      { title: "Converting other.vdi (VDI)", state: "succeeded", progress: 1 },
    ]);
    expect(await app.context.images.foreignFormat(file)).toBe("vdi");
  });

  /** Converts a disk on its own; `meanwhile` happens when it has been begun. */
  const convert = async (target: string, meanwhile: () => Promise<void> | void): Promise<{ file: string }> => {
    const { images } = app.context;
    const convertSlowly: typeof images.convert = async (...work) => {
      await meanwhile();
      await images.convert(...work);
    };
    return convertImage({ ...app.context, images: { ...images, convert: convertSlowly } }, await image("vdi"), target);
  };

  it("is converted on its own, and the image has its name only when it is complete", async () => {
    const target = path.join(folder, "converted.qcow2");
    let isThere = true;
    await convert(target, () => {
      isThere = existsSync(target);
    });
    expect(isThere).toBe(false);
    expect(await qemuImg("compare", target, path.join(folder, "source.raw"))).toContain("Images are identical");
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("leaves nothing behind when its conversion is cancelled, and replaces nothing that came meanwhile", async () => {
    const target = path.join(folder, "converted.qcow2");
    const cancel = () => {
      for (const { id } of app.context.tasks.list()) app.context.tasks.cancel(id);
    };
    await expect(convert(target, cancel)).rejects.toMatchObject({
      ...{ code: "CANCELLED", details: { consequence: "No image was made." } },
    });
    expect(readdirSync(folder).filter((name) => /^\.|converted/.test(name))).toEqual([]);
    await expect(convert(target, () => writeFile(target, "somebody's"))).rejects.toMatchObject({
      ...{ code: "ALREADY_EXISTS", details: { file: target, field: "target", consequence: "No image was made." } },
    });
    expect(await readFile(target, "utf8")).toBe("somebody's");
  });

  it("that is damaged makes no machine, and names the file", async () => {
    const file = await image("vhdx");
    await truncate(file, 150_000);
    await expect(withDisk(file)).rejects.toMatchObject({ code: "INVALID_FILE", details: { file } });
    expect(app.context.registry.list()).toEqual([]);
  });
});
