// The names by which firmware knows where disks and drives sit.
import { describe, expect, it } from "vitest";
import { type DISK_BUSES, defaultMachineConfig } from "../../../native-core/config/machine-config.ts";
import { defaultAdapter } from "../../../native-core/config/network-settings.ts";
import { bootPaths } from "../../../native-core/machine/storage-layout.ts";

const disk = (id: string, bus: (typeof DISK_BUSES)[number], slot?: number) => ({
  ...{ id, file: `${id}.qcow2`, format: "qcow2" as const, readOnly: false, bus },
  ...(slot !== undefined && { slot }),
});

describe("Boot paths", () => {
  const base = defaultMachineConfig("vm");

  it("name every kind of disk and drive of either board, floppy first", () => {
    const disks = [
      disk("a", "virtio"),
      disk("b", "nvme"),
      disk("c", "sata"),
      disk("d", "ide"),
      disk("e", "virtio", 12),
      disk("f", "usb"),
    ];
    const config = { ...base, disks, opticalDrives: [{ id: "cd0", file: null }], floppy: { file: "/a.img" } };
    expect(bootPaths(config)).toEqual([
      "/pci@i0cf8/isa@1/fdc@03f0/floppy@0",
      "/pci@i0cf8/scsi@8/disk@0,0",
      "/pci@i0cf8/pci8086,5845@7/namespace@1,0",
      "/pci@i0cf8/pci8086,2922@6/drive@0/disk@0",
      "/pci@i0cf8/ide@1,1/drive@0/disk@0",
      "/pci@i0cf8/scsi@c/disk@0,0",
      "/pci@i0cf8/usb@1d/storage@3/*@0/*@0,0",
      "/pci@i0cf8/ide@1,1/drive@1/disk@0",
    ]);
    const scsi = [disk("a", "virtio"), disk("b", "scsi"), disk("c", "scsi", 11)];
    const drives = [
      { id: "cd0", file: null },
      { id: "cd1", file: null, bus: "scsi" as const },
    ];
    expect(bootPaths({ ...base, disks: scsi, opticalDrives: drives })).toEqual([
      "/pci@i0cf8/scsi@8/disk@0,0",
      "/pci@i0cf8/scsi@18/channel@0/disk@0,0",
      "/pci@i0cf8/scsi@18/channel@0/disk@3,0",
      "/pci@i0cf8/ide@1,1/drive@1/disk@0",
      "/pci@i0cf8/scsi@18/channel@0/disk@9,0",
    ]);
    expect(bootPaths({ ...config, chipset: "q35" }).filter((path) => !path.includes("scsi"))).toEqual([
      "/pci@i0cf8/isa@1f/fdc@03f0/floppy@0",
      "/pci@i0cf8/pci8086,5845@7/namespace@1,0",
      "/pci@i0cf8/pci8086,2922@1f,2/drive@0/disk@0",
      "/pci@i0cf8/ide@1/drive@0/disk@0",
      "/pci@i0cf8/usb@1d/storage@3/*@0/*@0,0",
      "/pci@i0cf8/ide@1/drive@1/disk@0",
    ]);
  });

  it("name the adapters where the order has the network, and only there", () => {
    const adapters = [
      defaultAdapter("nic0", "52:54:00:12:34:56"),
      { ...defaultAdapter("nic1", "52:54:00:12:34:57"), slot: 21 },
    ];
    const paths = (...order: (typeof base)["boot"]["order"]) =>
      bootPaths({ ...base, boot: { ...base.boot, order }, disks: [disk("a", "virtio")], adapters });
    const [local, first, second] = [
      "/pci@i0cf8/scsi@8/disk@0,0",
      "/pci@i0cf8/ethernet@10/ethernet-phy@0",
      "/pci@i0cf8/ethernet@15/ethernet-phy@0",
    ];
    expect(paths(...base.boot.order)).toEqual([local]);
    expect(paths("network", "disk")).toEqual([first, second, local]);
    expect(paths("network")).toEqual([first, second, local]);
    expect(paths("disk", "network")).toEqual([local, first, second]);
  });
});
