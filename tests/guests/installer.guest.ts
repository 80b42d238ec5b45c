// Debian's installer from its netboot packages, booted from a disc through isolinux, told what to do by our own preseed file: it finds
// network, mirror and disk, partitions the disk, makes the file systems and mounts them. Everything comes through the NAT, from a mirror
// that has what the host's mirror may lack (support/installer-mirror.ts).
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { cpioArchive, file } from "../../main/services/unattended/cpio.ts";
import { preseed } from "../../main/services/unattended/linux-answers.ts";
import { defaultAdapter } from "../../native-core/config/network-settings.ts";
import { isoImage } from "../support/iso-image.ts";
import { qemuImg, temporaryFolder } from "../support/media/qemu-tools.ts";
import { packageFile } from "../support/pc-guest.ts";
import type { StarterVm } from "../support/vm/starter-vm.ts";
import { debianMirror, type Mirror } from "./support/debian-mirror.ts";
import type { Architecture } from "./support/debian-suite.ts";
import { installerMirror } from "./support/installer-mirror.ts";
import { type Frontend, type InstallerRelease, installerRelease } from "./support/installer-release.ts";
import { startPcVm } from "./support/pc-vm.ts";
import { GuestScreen, type Picture } from "./support/screen.ts";

const TIMEOUT_MS = 4_800_000;
const WAIT_MS = 2_400_000;
const PICTURES = "out/pictures/guests";
const SYSLINUX = "usr/lib/syslinux/modules/bios";
const DISK_MIB = 4096;
const SECTOR = 512;

const TOLD = "/lib/partman/finish.d/99told";
/** Words on the serial port: which machine it is, when the installer comes to partitioning, and what is mounted when it is done. */
const WORDS = `d-i debian-installer/allow_unauthenticated boolean true
d-i preseed/early_command string echo MACHINE $(uname -m). > /dev/ttyS0
d-i partman/early_command string echo PARTITIONING > /dev/ttyS0; \
 echo 'echo MOUNTED $(grep " /target " /proc/mounts). > /dev/ttyS0' > ${TOLD}; chmod +x ${TOLD}
`;

/** What the installer's own kernel says it runs on. */
const MACHINE: Record<Architecture, string> = { amd64: "x86_64", i386: "i686" };

/** Our answers as an initial RAM disk of their own. */
function answers(mirror: Mirror): Uint8Array {
  const own = preseed({
    ...{ user: "ada", fullName: "Ada", password: "lovelace", hostName: "installed" },
    ...{ locale: "en_US", timeZone: "Europe/Berlin", keyboard: "us", mirror: `http://10.0.2.2:${mirror.port}/debian` },
  });
  return cpioArchive([file("preseed.cfg", Buffer.from(`${own}${WORDS}`))]);
}

async function installerDisc({ kernel, initrd }: InstallerRelease, overlay: Uint8Array): Promise<Uint8Array> {
  const configuration = [
    "DEFAULT install",
    "LABEL install",
    "  KERNEL /LINUX",
    "  INITRD /INITRD.GZ",
    "  APPEND vga=788 auto=true priority=critical",
  ].join("\n");
  return isoImage({
    label: "INSTALLER",
    boot: "ISOLINUX/ISOLINUX.BIN",
    files: new Map([
      ["ISOLINUX/ISOLINUX.BIN", await packageFile("isolinux", "usr/lib/ISOLINUX/isolinux.bin")],
      ["ISOLINUX/LDLINUX.C32", await packageFile("syslinux-common", `${SYSLINUX}/ldlinux.c32`)],
      ["ISOLINUX/ISOLINUX.CFG", Buffer.from(`${configuration}\n`)],
      ["LINUX", kernel],
      ["INITRD.GZ", Buffer.concat([initrd, new Uint8Array(-initrd.length & 3), overlay])],
    ]),
  });
}

/** The first partition of an image's table, and the magic number of the ext4 file system in it. Sizes in sectors of 512 bytes. */
async function firstPartition(disk: string, folder: string) {
  const raw = join(folder, "disk.raw");
  await qemuImg("convert", "-O", "raw", disk, raw);
  const image = await open(raw);
  try {
    const read = async (offset: number) =>
      Buffer.from((await image.read(new Uint8Array(SECTOR), 0, SECTOR, offset)).buffer);
    const table = await read(0);
    const start = table.readUInt32LE(446 + 8);
    // The superblock is 1024 bytes into the file system, its magic number 0x38 bytes into that.
    const superblock = await read(start * SECTOR + 1024);
    return {
      ...{ signature: table.readUInt16LE(510), kind: table[446 + 4], sectors: table.readUInt32LE(446 + 12) },
      fileSystem: superblock.readUInt16LE(0x38),
    };
  } finally {
    await image.close();
  }
}

/** Whether the picture has as many colours as a drawn interface has and text has not. */
const isDrawn = ({ colors }: Picture): boolean => new Set(colors).size > 64;

describe("Debian's installer", () => {
  let end: () => Promise<void>;
  afterEach(() => end());

  const variants: [Frontend, Architecture][] = [
    ["text", "amd64"],
    ["gtk", "amd64"],
    ["text", "i386"],
    ["gtk", "i386"],
  ];
  it.for(variants)(
    "(%s, %s) partitions the disk, and makes and mounts its file system",
    { timeout: TIMEOUT_MS },
    async ([frontend, architecture]) => {
      const folder = temporaryFolder("installer");
      const release = await installerRelease(architecture, frontend);
      const mirror = await debianMirror(await installerMirror(release));
      let vm: StarterVm | undefined;
      end = async () => {
        await vm?.kill();
        mirror.close();
        folder.remove();
      };
      const disc = join(folder.path, "installer.iso");
      await writeFile(disc, await installerDisc(release, answers(mirror)));
      const disk = join(folder.path, "disk0.qcow2");
      await qemuImg("create", "-q", "-f", "qcow2", disk, `${DISK_MIB}M`);
      const adapter = { ...defaultAdapter("nic0", "52:54:00:12:34:56"), reach: [`host:${mirror.port}`] };
      vm = await startPcVm({
        folder: folder.path,
        config: { adapters: [adapter] },
        disks: [{ id: "disk0", file: disk, format: "qcow2", readOnly: false }],
        disc,
      });
      const { groups } = await vm.expect(/MACHINE (\S+)\./, WAIT_MS);
      expect(groups[0]).toBe(MACHINE[architecture]);
      const screen = await GuestScreen.open(vm.client, vm.request.dataSocket);
      await vm.expect(/PARTITIONING/, WAIT_MS);
      await screen.keep(`${PICTURES}/installer-${frontend}-${architecture}.png`);
      if (frontend === "gtk") expect(isDrawn(await screen.picture())).toBe(true);
      const mounted = await vm.expect(/MOUNTED (\S+) \/target (\S+) /, WAIT_MS);
      expect(mounted.groups).toEqual(["/dev/vda1", "ext4"]);
      screen.close();
      // What follows partitioning: the base system is fetched onto the new file system.
      if (architecture === "amd64") await mirror.waitFor(/pool\/main\/b\/base-files\/base-files_.*\.deb/, WAIT_MS);
      await vm.powerOff();
      const partition = await firstPartition(disk, folder.path);
      expect(partition).toMatchObject({ signature: 0xaa55, kind: 0x83, fileSystem: 0xef53 });
      expect(partition.sectors).toBeGreaterThan((DISK_MIB * 2048) / 2);
    },
  );
});
