// Disks that come to a running machine and leave it: what the guest's part is, is played by writes to the hot-plug registers.
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { HOT_PLUG, HOT_PLUG_PORT } from "../../../native-core/devices/acpi/hot-plug.ts";
import { DiskSet } from "../../../native-core/host/disk-set.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { Plugging } from "../../../native-core/host/plugging.ts";
import { encodeValue } from "../../../native-core/host/state/value-codec.ts";
import { createMachine, type MachineParts } from "../../../native-core/machine/machine.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { fakeProcessor } from "../../support/fake-processor.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const folder = temporaryFolder("plugging");
afterEach(() => void vi.useRealTimers());
afterAll(() => folder.remove());

async function start(parts: Partial<MachineParts> = {}) {
  const disks = await DiskSet.open([], folder.path);
  const machine = createMachine({
    memoryBytes: 64 << 20,
    createProcessor: fakeProcessor,
    firmware: { start: () => {} },
    serial: [{ write: () => {} }, { write: () => {} }],
    ...parts,
  });
  machine.powerOn();
  const detached: string[] = [];
  const plugging = new Plugging({ machine, disks, error: () => {}, detached: (id) => void detached.push(id) });
  const eject = (slot: number) => machine.bus.writePort(HOT_PLUG_PORT + HOT_PLUG.EJECT, 4, 1 << slot);
  return { disks, machine, plugging, detached, eject };
}

async function image(name: string): Promise<string> {
  const path = folder.file(name);
  const file = await NodeImageFile.open(path, { readOnly: false, create: true });
  await createQcow2(file, 1 << 20);
  await file.close();
  return path;
}

const request = (id: string, file: string, slot: number) => ({
  id,
  file,
  format: "qcow2" as const,
  readOnly: false,
  slot,
});

describe("A running machine", () => {
  it("is given a disk, and relieved of it when the guest lets go", async () => {
    const { disks, machine, plugging, eject } = await start();
    const file = await image("a.qcow2");
    await plugging.attachDisk(request("disk1", file, 9));
    expect(machine.board.devices.map(({ name }) => name)).toContain("virtio-blk-disk1");
    expect(machine.bus.readPort(HOT_PLUG_PORT, 4)).toBe(1 << 9);
    await expect(plugging.attachDisk(request("disk2", file, 9))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const leaving = plugging.detachDisk("disk1", false);
    expect(machine.bus.readPort(HOT_PLUG_PORT + HOT_PLUG.REMOVE, 4)).toBe(1 << 9);
    eject(9);
    expect(await leaving).toBe(true);
    expect(disks.disks).toEqual([]);
    // Its file is free again.
    await (await NodeImageFile.open(file, { readOnly: false })).close();
  });

  it("keeps a disk that its guest keeps, and tells when it goes later", async () => {
    const { disks, plugging, detached, eject } = await start();
    await plugging.attachDisk(request("disk1", await image("b.qcow2"), 10));
    vi.useFakeTimers();
    const leaving = plugging.detachDisk("disk1", false);
    vi.advanceTimersByTime(6000);
    expect(await leaving).toBe(false);
    vi.useRealTimers();
    expect(disks.disks).toHaveLength(1);
    eject(10);
    await vi.waitFor(() => expect(detached).toEqual(["disk1"]));
    expect(disks.disks).toEqual([]);
  });

  it.each(["usb", "scsi"] as const)(
    "is given a %s disk and relieved of it, without its guest being asked",
    async (bus) => {
      const { disks, machine, plugging } = await start({ usb: {}, scsi: { disks: [], drives: [] } });
      const file = await image(`${bus}.qcow2`);
      const disk = { ...request("disk1", file, 9), bus };
      await plugging.attachDisk(disk);
      expect(disks.disks).toHaveLength(1);
      if (bus === "scsi") {
        expect(machine.scsi?.isFree(1)).toBe(false);
        await expect(plugging.attachDisk({ ...disk, id: "disk2" })).rejects.toMatchObject({ code: "UNSUPPORTED" });
      } else expect(encodeValue(machine.save())).toContain("usb-storage-disk1");
      expect(await plugging.detachDisk("disk1", false)).toBe(true);
      expect(disks.disks).toEqual([]);
      await (await NodeImageFile.open(file, { readOnly: false })).close();
      // Its place is free again.
      await plugging.attachDisk(disk);
      await plugging.detachDisk("disk1", false);
    },
  );

  it.each(["usb", "scsi"] as const)("is given no %s disk without a controller", async (bus) => {
    const { disks, plugging } = await start();
    const disk = { ...request("disk1", await image(`no-${bus}.qcow2`), 9), bus };
    await expect(plugging.attachDisk(disk)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(disks.disks).toEqual([]);
  });

  it("loses a disk at once when it is pulled, and has no others to lose", async () => {
    const { disks, machine, plugging } = await start();
    await plugging.attachDisk(request("disk1", await image("c.qcow2"), 8));
    expect(await plugging.detachDisk("disk1", true)).toBe(true);
    expect(machine.board.devices.map(({ name }) => name)).not.toContain("virtio-blk-disk1");
    expect(disks.disks).toEqual([]);
    await expect(plugging.detachDisk("disk7", false)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});
