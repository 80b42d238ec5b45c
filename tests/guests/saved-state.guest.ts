// The snapshot law on a Q35 board with every kind of storage and USB in use: a copy goes on with its disks, keyboard and interrupts as the
// original does.
import { afterAll, expect, it } from "vitest";
import { scatter } from "../../native-core/common/pieces.ts";
import { ScsiCdRom } from "../../native-core/devices/scsi/cd-rom.ts";
import { LinuxBoot } from "../../native-core/firmware/linux-boot.ts";
import { PageMap } from "../../native-core/host/state/page-map.ts";
import { debianKernel, initramfs, kernelModules } from "../support/linux-guest.ts";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { memoryDisk } from "../support/memory-disk.ts";
import { buildComputer, type Computer, digest, restore, run, runUntil, save } from "../support/snapshot-law.ts";

const folder = temporaryFolder("saved-state");
afterAll(() => folder.remove());

const MEMORY_BYTES = 192 << 20;
const MODULES = [
  "virtio_pci",
  "virtio_scsi",
  "nvme",
  "ahci",
  "sd_mod",
  "sr_mod",
  "xhci-pci",
  "usbhid",
  "hid-generic",
  "usb-storage",
];

/** A disk whose reads need no host, so that when they end is a matter of the machine's state alone. */
function disk(fill: number) {
  const plain = memoryDisk(8 << 20);
  plain.content.fill(fill);
  return {
    ...plain,
    readNow: (offset: number, target: readonly Uint8Array[]) => {
      scatter(plain.content.subarray(offset), target);
      return true;
    },
  };
}

async function build(): Promise<Computer> {
  const awaited = ["/dev/nvme0n1", "/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sr0"];
  const firmware = new LinuxBoot({
    kernel: await debianKernel("amd64"),
    initrd: await initramfs(
      `${awaited.map((path) => `until [ -e ${path} ]; do sleep 0.1; done`).join("\n")}
sleep 1; for path in /sys/block/sd*; do grep -q SCSI $path/device/model && scsi=/dev/\${path##*/}; done; echo EVERYTHING IS THERE
while true; do
  for disk in /dev/nvme0n1 $scsi; do dd if=$disk bs=64k count=4 iflag=direct 2>/dev/null | md5sum; done
  cat /proc/interrupts | md5sum; date
done`,
      await kernelModules("amd64", MODULES),
    ),
    commandLine: "console=ttyS0 panic=-1 cryptomgr.notests",
    memoryBytes: MEMORY_BYTES,
  });
  return buildComputer({
    ...{ memoryBytes: MEMORY_BYTES, firmware, chipset: "q35" },
    nvme: [{ id: "disk0", backend: disk(1) }],
    sata: [{ id: "disk1", backend: disk(2) }],
    scsi: {
      disks: [{ id: "disk2", backend: disk(3) }],
      drives: [{ id: "cd0", number: 0, cdRom: new ScsiCdRom(memoryDisk(1 << 20)) }],
    },
    usb: { disks: [{ id: "disk3", backend: disk(4) }] },
  });
}

it("The snapshot law holds on Q35 with NVMe, AHCI, virtio-scsi and xHCI", async () => {
  const original = await build();
  original.machine.powerOn();
  await runUntil(original, "EVERYTHING IS THERE");
  let base = PageMap.empty(original.memory.count);
  for (const before of [20_000_000n, 100_000_000n]) {
    run(original.machine, before);
    const saved = save(original, folder, base);
    base = saved.map;
    run(original.machine, 60_000_000n);
    const copy = await restore(await build(), saved.folder);
    // What a restore delivers comes at the first slice, as it would in the original.
    run(copy.machine, 60_000_000n);
    expect(copy.printed()).toMatch(/ {2}-/);
    expect(original.printed().endsWith(copy.printed())).toBe(true);
    expect(digest(copy)).toEqual(digest(original));
    copy.machine.dispose();
  }
}, 600_000);
