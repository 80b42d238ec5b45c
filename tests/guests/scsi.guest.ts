// Linux's own driver on virtio-scsi: disks with a file system, trimmed and zeroed, a disc that is changed, disks that come and go; and
// SeaBIOS that boots from there.
import { expect, it } from "vitest";
import { ScsiCdRom } from "../../native-core/devices/scsi/cd-rom.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { grubDisk } from "../support/grub-disk.ts";
import { isoImage } from "../support/iso-image.ts";
import { LinuxGuest } from "../support/linux-guest.ts";
import { memoryDisk } from "../support/memory-disk.ts";
import { fixedMedium, PcGuest } from "../support/pc-guest.ts";

const disc = (text: string) =>
  fixedMedium(isoImage({ label: "DISC", files: new Map([["HELLO.TXT", new TextEncoder().encode(text)]]) }));
const SLOT_OF_TARGET_1 = 9;

it("Linux uses disks and a drive on virtio-scsi, also disks that are plugged in while it runs", async () => {
  const disk = memoryDisk(16 << 20);
  disk.content.fill(0x77, 8 << 20);
  const drive = new ScsiCdRom(disc("the first disc"));
  const guest = await LinuxGuest.start({
    flavour: "amd64",
    modules: ["virtio_pci", "virtio_scsi", "sd_mod", "sr_mod", "isofs", "vfat", "nls_cp437", "nls_ascii"],
    script: `
while [ ! -e /dev/sda ] || [ ! -e /dev/sr0 ]; do sleep 0.1; done
echo GUEST-READY; while read -r line; do eval "$line"; echo "do""ne"; done`,
    createProcessor: coreProcessor(await interpreterModule()),
    memoryMib: 192,
    parts: {
      scsi: { disks: [{ id: "disk0", backend: disk }], drives: [{ id: "cd0", number: 0, cdRom: drive }] },
    },
  });
  await guest.waitFor("GUEST-READY");
  const command = async (line: string) => {
    const from = guest.console.length;
    guest.type(`${line}\n`);
    await guest.waitFor("done\r\n", from);
    return guest.console.slice(from);
  };
  expect(await command("cat /sys/block/sda/device/model /sys/block/sda/queue/write_cache")).toMatch(
    /SCSI disk[^]*write back/,
  );
  expect(
    await command(
      'mkdosfs /dev/sda >/dev/null && mount -t vfat /dev/sda /new && cp /bin/busybox /new && umount /new && mount -t vfat /dev/sda /new && cmp /new/busybox /bin/busybox && echo "SA""ME"; umount /new',
    ),
  ).toMatch(/\nSAME\r/);
  expect(disk.content[12 << 20]).toBe(0x77);
  expect(await command('blkdiscard -o 8M -l 8M /dev/sda && echo "TRIM""MED"')).toMatch(/\nTRIMMED\r/);
  expect(disk.content.subarray(8 << 20).every((byte) => byte === 0)).toBe(true);
  const readDisc = "mount -t iso9660 /dev/sr0 /new && cat /new/hello.txt; umount /new";
  expect(await command(readDisc)).toContain("the first disc");
  drive.insert(disc("the second disc"));
  expect(await command(readDisc)).toContain("the second disc");

  const added = memoryDisk(4 << 20);
  added.content.set(new TextEncoder().encode("the second disk"), 4096);
  guest.machine.plugScsiDisk({ id: "disk1", backend: added }, SLOT_OF_TARGET_1);
  expect(
    await command(
      "while [ ! -e /dev/sdb ]; do sleep 0.1; done; dd if=/dev/sdb bs=4096 skip=1 count=1 2>/dev/null | head -c 16; echo",
    ),
  ).toContain("the second disk");
  expect(guest.machine.scsi?.unplug("disk1")).toBe(true);
  await command("while [ -e /dev/sdb ]; do sleep 0.1; done");
}, 300_000);

it.each([
  ["i440fx", "/pci@i0cf8/scsi@18/channel@0/disk@0,0"],
  ["q35", "/pci@i0cf8/scsi@18/channel@0/disk@0,0"],
] as const)(
  "SeaBIOS boots from a SCSI disk on the %s board",
  async (chipset, path) => {
    const disk = await grubDisk("cat /sys/block/sda/device/model; echo END; read line", {
      drivers: ["virtio_pci", "virtio_scsi", "sd_mod"],
      awaited: ["/dev/sda1"],
    });
    const guest = await PcGuest.start({
      createProcessor: coreProcessor(await interpreterModule()),
      memoryMib: 256,
      firmware: { chipset, bootOrder: [path] },
      parts: { chipset, scsi: { disks: [{ id: "disk0", backend: disk }], drives: [] } },
    });
    try {
      await guest.waitForConsole("END");
      expect(guest.console).toContain("SCSI disk");
    } finally {
      guest.stop();
    }
  },
  300_000,
);
