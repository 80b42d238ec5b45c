// Debian's installer from its netboot packages, booted from a disc through isolinux, told what to do by our own preseed file: it finds
// network, mirror and disk, and partitions. Everything comes through the NAT. Where the host's mirror has no installer components (`.udeb`),
// the test says so and ends as skipped once the installer has asked for them.
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
import { startPcVm } from "./support/pc-vm.ts";
import { GuestScreen, type Picture } from "./support/screen.ts";

const TIMEOUT_MS = 2_400_000;
const WAIT_MS = 1_200_000;
const PICTURES = "out/pictures/guests";
const SYSLINUX = "usr/lib/syslinux/modules/bios";
const DISK_MIB = 4096;

type Architecture = "amd64" | "i386";
type Frontend = "text" | "gtk";

const WORDS = `d-i preseed/early_command string echo MACHINE $(uname -m). > /dev/ttyS0
d-i partman/early_command string echo PARTITIONING > /dev/ttyS0
`;

/** What the installer's own kernel says it runs on. */
const MACHINE: Record<Architecture, string> = { amd64: "x86_64", i386: "i686" };

/** Our answers, and words on the serial port: which machine it is, and when the installer comes to partitioning. */
function answers(mirror: Mirror): Uint8Array {
  const own = preseed({
    ...{ user: "ada", fullName: "Ada", password: "lovelace", hostName: "installed" },
    ...{ locale: "en_US", timeZone: "Europe/Berlin", keyboard: "us", mirror: `http://10.0.2.2:${mirror.port}/debian` },
  });
  return cpioArchive([file("preseed.cfg", Buffer.from(`${own}${WORDS}`))]);
}

async function installerDisc(architecture: Architecture, frontend: Frontend, overlay: Uint8Array): Promise<Uint8Array> {
  const name = `debian-installer-12-netboot-${architecture}`;
  const folder = `usr/lib/debian-installer/images/12/${architecture}/${frontend}/debian-installer/${architecture}`;
  const initrd = await packageFile(name, `${folder}/initrd.gz`);
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
      ["LINUX", await packageFile(name, `${folder}/linux`)],
      ["INITRD.GZ", Buffer.concat([initrd, new Uint8Array(-initrd.length & 3), overlay])],
    ]),
  });
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
    "(%s, %s) partitions the disk and starts to install on it",
    { timeout: TIMEOUT_MS },
    async ([frontend, architecture], { skip }) => {
      const folder = temporaryFolder("installer");
      const mirror = await debianMirror();
      let vm: StarterVm | undefined;
      end = async () => {
        await vm?.kill();
        mirror.close();
        folder.remove();
      };
      const disc = join(folder.path, "installer.iso");
      await writeFile(disc, await installerDisc(architecture, frontend, answers(mirror)));
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
      const lacking = await Promise.race([
        vm.expect(/PARTITIONING/, WAIT_MS).then(() => undefined),
        mirror.waitForMissing(/\.udeb$/, WAIT_MS),
      ]);
      await screen.keep(`${PICTURES}/installer-${frontend}-${architecture}.png`);
      if (frontend === "gtk") expect(isDrawn(await screen.picture())).toBe(true);
      screen.close();
      if (lacking !== undefined) skip(`the host's mirror lacks ${lacking}`);
      // What follows partitioning: the base system is fetched onto the new file system.
      await mirror.waitFor(/pool\/main\/b\/base-files\/base-files_.*\.deb/, WAIT_MS);
      await vm.powerOff();
      const raw = join(folder.path, "disk.raw");
      await qemuImg("convert", "-O", "raw", disk, raw);
      const image = await open(raw);
      const { buffer } = await image.read(new Uint8Array(512), 0, 512, 0);
      await image.close();
      // The first partition is Linux's, and large.
      expect([buffer[510], buffer[511], buffer[446 + 4]]).toEqual([0x55, 0xaa, 0x83]);
      expect(new DataView(buffer.buffer).getUint32(446 + 12, true)).toBeGreaterThan((DISK_MIB * 2048) / 2);
    },
  );
});
