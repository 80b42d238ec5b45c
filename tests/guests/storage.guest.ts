// Real systems on every kind of disk the board has, booted by SeaBIOS through GRUB.
import { createHash } from "node:crypto";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import type { ProcessorFactory } from "../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { fatImage } from "../support/fat-image.ts";
import { grubDisk } from "../support/grub-disk.ts";
import { LinuxGuest } from "../support/linux-guest.ts";
import { fixedMedium, PcGuest, type PcGuestOptions, packageFile } from "../support/pc-guest.ts";

const TIMEOUT_MS = 300_000;

describe("A PC that boots Linux from its disk", () => {
  let createProcessor: ProcessorFactory<CoreProcessor>;
  beforeAll(() => {
    createProcessor = coreProcessor(new WebAssembly.Module(buildInterpreter()));
  });
  const running: PcGuest[] = [];
  afterEach(() => {
    for (const guest of running.splice(0)) guest.stop();
  });

  async function start(options: Omit<PcGuestOptions, "createProcessor">): Promise<PcGuest> {
    const guest = await PcGuest.start({ createProcessor, memoryMib: 256, ...options });
    running.push(guest);
    return guest;
  }

  it(
    "finds an NVMe disk: reads, writes, flushes, zeroes and discards",
    async () => {
      const disk = await grubDisk(
        [
          "dd if=/dev/nvme0n1 bs=1M count=8 2>/dev/null | md5sum",
          "dd if=/dev/zero of=/dev/nvme0n1 bs=1M seek=60 count=2 conv=fsync 2>/dev/null && echo WRITTEN",
          "cat /sys/block/nvme0n1/queue/discard_max_bytes /sys/block/nvme0n1/queue/write_cache",
          "blkdiscard -o 61M -l 1M /dev/nvme0n1 2>&1 && echo DISCARDED",
          "grep nvme /proc/interrupts; echo END; read line",
        ].join("\n"),
        { drivers: ["nvme"], awaited: ["/dev/nvme0n1p1"] },
      );
      const guest = await start({ parts: { nvme: [{ id: "disk0", backend: disk }] } });
      await guest.waitForConsole("END");
      const sum = createHash("md5")
        .update(disk.content.subarray(0, 8 << 20))
        .digest("hex");
      expect(guest.console).toContain(sum);
      expect(guest.console).toContain("WRITTEN");
      expect(guest.console).toContain("write back");
      expect(guest.console).toMatch(/PCI-MSI .*nvme0q1/);
      expect(disk.content.subarray(60 << 20, 62 << 20).every((byte) => byte === 0)).toBe(true);
    },
    TIMEOUT_MS,
  );

  it.each(["i440fx", "q35"] as const)(
    "boots a floppy disk on the %s board",
    async (chipset) => {
      const image = await packageFile("grub-rescue-pc", "usr/lib/grub-rescue/grub-rescue-floppy.img");
      // GRUB's image is shorter than the disk.
      const floppy = new Uint8Array(image.length <= 1440 << 10 ? 1440 << 10 : 2880 << 10);
      floppy.set(image);
      const guest = await start({
        firmware: { chipset },
        parts: { chipset, floppy: { id: "floppy0", backend: fixedMedium(floppy) } },
      });
      await guest.waitForScreen("GNU GRUB");
      await guest.type("c");
      await guest.waitForScreen("grub>");
      await guest.type("ls (fd0)\n");
      await guest.waitForScreen("Device fd0");
    },
    TIMEOUT_MS,
  );

  it.each(["i440fx", "q35"] as const)(
    "boots an NVMe disk through UEFI on the %s board",
    async (chipset) => {
      const program = await packageFile("memtest86+", "boot/memtest86+x64.efi");
      const content = await fatImage({ kib: 16 << 10, files: new Map([["EFI/BOOT/BOOTX64.EFI", program]]) });
      const file = async (name: string) => ({ file: name, bytes: await packageFile("ovmf", `usr/share/OVMF/${name}`) });
      const { bytes } = await file("OVMF_VARS.fd");
      const guest = await start({
        firmware: {
          ...{ chipset, bios: await file("OVMF_CODE.fd") },
          bootOrder: ["/pci@i0cf8/pci8086,5845@7/namespace@1,0"],
        },
        parts: {
          ...{ chipset, flash: { bytes: bytes.slice(), changed: () => {} } },
          nvme: [{ id: "disk0", backend: fixedMedium(content) }],
        },
      });
      await guest.waitForConsole("BdsDxe: starting Boot");
      expect(guest.console).toMatch(/starting Boot\d+ "UEFI .*NVMe/i);
    },
    TIMEOUT_MS,
  );

  it(
    "boots a floppy disk with SYSLINUX and a kernel from it",
    async () => {
      const text = (content: string) => new TextEncoder().encode(content);
      const floppy = await fatImage({
        kib: 1440,
        syslinux: true,
        files: new Map([
          ["SYSLINUX.CFG", text("PROMPT 1\nSAY On a floppy disk\nLABEL test\n  KERNEL /MEMTEST\n")],
          ["LDLINUX.C32", await packageFile("syslinux-common", "usr/lib/syslinux/modules/bios/ldlinux.c32")],
          ["MEMTEST", await packageFile("memtest86+", "boot/memtest86+x64.bin")],
        ]),
      });
      const guest = await start({ parts: { floppy: { id: "floppy0", backend: fixedMedium(floppy) } } });
      await guest.waitForScreen("On a floppy disk");
      await guest.waitForScreen("boot:");
      await guest.type("test\n");
      await guest.waitForScreen("Memtest86+");
    },
    TIMEOUT_MS,
  );

  it(
    "is a Q35 board without firmware, too",
    async () => {
      const guest = await LinuxGuest.start({
        createProcessor,
        flavour: "cloud-amd64",
        script: "mount -t proc proc /proc; grep MMCONFIG /proc/iomem; poweroff -f",
        parts: { chipset: "q35" },
      });
      expect(await guest.waitForEnd()).toBe("poweroff");
      expect(guest.console).toMatch(/b0000000-bfffffff : PCI MMCONFIG/);
    },
    TIMEOUT_MS,
  );

  it(
    "is a Q35 board: SATA built in, configuration space in memory, interrupts of both kinds",
    async () => {
      const disk = await grubDisk(
        [
          "grep -i mmconfig /proc/iomem; dmesg | grep -i -E 'MMCONFIG|ECAM|acpi.*error'",
          "cat /sys/bus/pci/devices/0000:00:00.0/device /sys/bus/pci/devices/0000:00:1f.0/device",
          "dd if=/dev/sda bs=1M count=8 2>/dev/null | md5sum",
          "echo 1 > /proc/sys/kernel/printk; dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c",
          "cat /proc/interrupts; echo END; read line",
        ].join("\n"),
        { drivers: ["ahci", "sd_mod", "virtio_pci", "virtio-rng"], awaited: ["/dev/sda1"] },
      );
      const guest = await start({
        firmware: { chipset: "q35", bootOrder: ["/pci@i0cf8/pci8086,2922@1f,2/drive@0/disk@0"] },
        parts: { chipset: "q35", sata: [{ id: "disk0", backend: disk }] },
      });
      await guest.waitForConsole("END");
      expect(guest.console).toMatch(/b0000000-bfffffff : PCI MMCONFIG 0000 \[bus 00-ff\]/);
      expect(guest.console).toContain("0x29c0");
      expect(guest.console).toContain("0x2918");
      expect(guest.console).toMatch(/IO-APIC +\d+-fasteoi +ahci/);
    },
    TIMEOUT_MS,
  );
});
