// Boots real media through SeaBIOS, by the wall clock: a rescue disc with GRUB, a disc with isolinux and Debian's installer, and a
// disk with GRUB in its boot sectors.
import { createHash } from "node:crypto";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import { ScsiCdRom } from "../../native-core/devices/scsi/cd-rom.ts";
import type { ProcessorFactory } from "../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { grubDisk } from "../support/grub-disk.ts";
import { isoImage } from "../support/iso-image.ts";
import { fixedMedium, PcGuest, type PcGuestOptions, packageFile } from "../support/pc-guest.ts";

const TIMEOUT_MS = 300_000;
const INSTALLER = "usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";
const MODULES = "usr/lib/syslinux/modules/bios";

/** How many colours the screen shows in a graphics mode; 0 in text mode. */
function coloursOf({ machine: { display } }: PcGuest): number {
  const size = display?.size();
  if (!display || size?.width !== 640) return 0;
  const pixels = new Uint32Array(size.width * size.height);
  display.render(pixels, true);
  return new Set(pixels).size;
}

describe("A PC with firmware", () => {
  let createProcessor: ProcessorFactory<CoreProcessor>;

  beforeAll(() => {
    createProcessor = coreProcessor(new WebAssembly.Module(buildInterpreter()));
  });

  const running: PcGuest[] = [];
  afterEach(() => {
    for (const guest of running.splice(0)) guest.stop();
  });

  async function start(options: Omit<PcGuestOptions, "createProcessor">): Promise<PcGuest> {
    const guest = await PcGuest.start({ createProcessor, ...options });
    running.push(guest);
    return guest;
  }

  const withDisc = (disc: ScsiCdRom) => ({ ide: [{ id: "cd0", position: 2 as const, cdRom: disc }] });
  const discOf = (image: Uint8Array) => new ScsiCdRom(fixedMedium(image));

  it(
    "says that there is nothing to boot when there is nothing",
    async () => {
      const guest = await start({});
      await guest.waitForScreen("No bootable device.");
      expect(guest.screen).toContain("SeaBIOS");
    },
    TIMEOUT_MS,
  );

  it(
    "boots GRUB from a disc to its prompt, and is told of its memory and firmware",
    async () => {
      const image = await packageFile("grub-rescue-pc", "usr/lib/grub-rescue/grub-rescue-cdrom.iso");
      const guest = await start({ parts: withDisc(discOf(image)) });
      await guest.waitForScreen("Press enter to boot the selected OS");
      expect(guest.screen).toMatch(/GNU GRUB +version 2\.06/);
      await guest.type("c");
      await guest.waitForScreen("grub>");
      await guest.type("lsmmap\n");
      await guest.waitForScreen("base_addr = 0x100000");
      await guest.type("smbios --type 1 --get-string 5\n");
      await guest.waitForScreen("Terrarium PC");
      // SeaBIOS has locked itself away: its first instruction is still a far jump.
      await guest.type("write_byte 0xffff0 0x55\nread_byte 0xffff0\n");
      await guest.waitForScreen("0xea");
    },
    TIMEOUT_MS,
  );

  it(
    "shows the boot menu when its key is pressed, and boots what is chosen",
    async () => {
      const image = await packageFile("grub-rescue-pc", "usr/lib/grub-rescue/grub-rescue-cdrom.iso");
      const guest = await start({
        firmware: { bootMenuMs: 2000 },
        parts: withDisc(discOf(image)),
      });
      await guest.waitForScreen("Press ESC for boot menu");
      await guest.type("\u001b");
      await guest.waitForScreen("Select boot device:");
      await guest.waitForScreen("DVD/CD [ata1-0: TERRARIUM DVD-ROM");
      await guest.type("1");
      await guest.waitForScreen("GNU GRUB");
    },
    TIMEOUT_MS,
  );

  it(
    "goes on where it was after a saved state taken in the boot loader",
    async () => {
      const image = await packageFile("grub-rescue-pc", "usr/lib/grub-rescue/grub-rescue-cdrom.iso");
      const guest = await start({ memoryMib: 64, parts: withDisc(discOf(image)) });
      await guest.waitForScreen("Press enter to boot the selected OS");
      guest.stop();
      const saved = structuredClone(guest.machine.save());
      const memory = guest.machine.memory as CoreProcessor["memory"];
      const copy = await PcGuest.create({ createProcessor, memoryMib: 64, parts: withDisc(discOf(image)) });
      const copyMemory = copy.machine.memory as CoreProcessor["memory"];
      copyMemory.bytes().set(memory.bytes());
      copy.machine.restore(saved);
      running.push(copy);
      copy.runner.resume();
      await copy.type("c");
      await copy.waitForScreen("grub>");
      // The disc is read on.
      await copy.type("ls (cd)/boot/grub/i386-pc/ext2.mod\n");
      await copy.waitForScreen("ext2.mod");
      expect(copy.screen).not.toContain("error:");
    },
    TIMEOUT_MS,
  );

  it(
    "boots Debian's installer from a disc with isolinux: its graphical menu, then its kernel",
    async () => {
      const configuration = [
        "UI vesamenu.c32",
        "MENU BACKGROUND splash.png",
        "MENU TITLE Installer",
        "LABEL install",
        "  KERNEL /LINUX",
        "  INITRD /INITRD.GZ",
        "  APPEND console=ttyS0 console=tty0",
      ].join("\n");
      const module = (name: string) => packageFile("syslinux-common", `${MODULES}/${name}`);
      const installer = (name: string) => packageFile("debian-installer-12-netboot-amd64", `${INSTALLER}/${name}`);
      const image = isoImage({
        label: "INSTALLER",
        boot: "ISOLINUX/ISOLINUX.BIN",
        files: new Map([
          ["ISOLINUX/ISOLINUX.BIN", await packageFile("isolinux", "usr/lib/ISOLINUX/isolinux.bin")],
          ["ISOLINUX/LDLINUX.C32", await module("ldlinux.c32")],
          ["ISOLINUX/VESAMENU.C32", await module("vesamenu.c32")],
          ["ISOLINUX/LIBCOM32.C32", await module("libcom32.c32")],
          ["ISOLINUX/LIBUTIL.C32", await module("libutil.c32")],
          ["ISOLINUX/SPLASH.PNG", await installer("boot-screens/splash.png")],
          ["ISOLINUX/ISOLINUX.CFG", new TextEncoder().encode(`${configuration}\n`)],
          ["LINUX", await installer("linux")],
          ["INITRD.GZ", await installer("initrd.gz")],
        ]),
      });
      const guest = await start({ memoryMib: 512, parts: withDisc(discOf(image)) });
      // The menu is drawn on a picture that has more colours than text ever has.
      await guest.waitFor("the menu", () => coloursOf(guest) > 200);
      expect(guest.machine.display?.size()).toEqual({ width: 640, height: 480 });
      await guest.type("\n");
      await guest.waitForConsole("Linux version 6.1");
      await guest.waitForConsole("SMBIOS 2.8 present");
      await guest.waitForConsole("Trying to unpack rootfs image as initramfs");
    },
    TIMEOUT_MS,
  );

  it.each([
    ["IDE", /ata1: PATA max MWDMA2/],
    ["SATA", /ahci .* SATA mode/],
  ])(
    "boots a disk with GRUB in its boot sectors: Linux finds itself on an %s disk, and changes discs",
    async (kind, driver) => {
      const disk = await grubDisk(
        [
          "mount -t iso9660 /dev/sr0 /mnt && cat /mnt/hello.txt",
          "grep -c hello /mnt/hello.txt; umount /mnt",
          "dd if=/dev/sda bs=1M count=8 2>/dev/null | md5sum",
          "dd if=/dev/zero of=/dev/sda bs=1M seek=60 count=2 conv=fsync 2>/dev/null && echo WRITTEN",
          "echo READY; read line; mount -t iso9660 /dev/sr0 /mnt && cat /mnt/other.txt; echo END; read line",
        ].join("\n"),
      );
      const text = (name: string, content: string) =>
        discOf(isoImage({ label: "DISC", files: new Map([[name, new TextEncoder().encode(content)]]) }));
      const cdRom = text("HELLO.TXT", "hello from the disc\n");
      const guest = await start({
        memoryMib: 256,
        parts: {
          ide: [
            ...(kind === "IDE" ? [{ id: "disk0", position: 0 as const, disk }] : []),
            { id: "cd0", position: 2, cdRom },
          ],
          ...(kind === "SATA" && { sata: [{ id: "disk0", backend: disk }] }),
        },
      });
      await guest.waitForConsole("READY");
      expect(guest.console).toContain("hello from the disc");
      expect(guest.console).toMatch(driver);
      const sum = createHash("md5")
        .update(disk.content.subarray(0, 8 << 20))
        .digest("hex");
      expect(guest.console).toContain(sum);
      expect(guest.console).toContain("WRITTEN");
      expect(disk.content.subarray(60 << 20, 62 << 20).every((byte) => byte === 0)).toBe(true);
      const other = isoImage({
        label: "OTHER",
        files: new Map([["OTHER.TXT", new TextEncoder().encode("the other one\n")]]),
      });
      cdRom.insert(fixedMedium(other));
      guest.machine.post({ kind: "serial", port: 0, bytes: new TextEncoder().encode("\n") });
      await guest.waitForConsole("the other one");
    },
    TIMEOUT_MS,
  );
});
