// What to make of an ISO image: the name and settings that a new machine for it starts with. Everything can be changed afterwards.
import path from "node:path";
import { canonical } from "../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { readIso } from "../../../native-core/media/iso.ts";
import type { MediumFacts } from "../../contract/schemas.ts";
import { checkDisc } from "./discs.ts";

interface System {
  readonly pattern: RegExp;
  readonly name: string;
  readonly osType: MediumFacts["osType"];
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

const GIB = 1024;

/** First match wins; tried on label and file name together. */
const SYSTEMS: readonly System[] = [
  { pattern: /debian.*live|live.*debian/i, name: "Debian Live", osType: "linux", memoryMiB: 2048, diskMiB: 20 * GIB },
  { pattern: /debian|\bmini\.iso/i, name: "Debian", osType: "linux", memoryMiB: 1024, diskMiB: 20 * GIB },
  { pattern: /ubuntu.*server/i, name: "Ubuntu Server", osType: "linux", memoryMiB: 2048, diskMiB: 25 * GIB },
  { pattern: /kubuntu|xubuntu|lubuntu|ubuntu/i, name: "Ubuntu", osType: "linux", memoryMiB: 3072, diskMiB: 25 * GIB },
  { pattern: /linux ?mint/i, name: "Linux Mint", osType: "linux", memoryMiB: 3072, diskMiB: 25 * GIB },
  { pattern: /fedora/i, name: "Fedora", osType: "linux", memoryMiB: 3072, diskMiB: 20 * GIB },
  { pattern: /alpine/i, name: "Alpine Linux", osType: "linux", memoryMiB: 256, diskMiB: 4 * GIB },
  { pattern: /archlinux|arch_2/i, name: "Arch Linux", osType: "linux", memoryMiB: 1024, diskMiB: 20 * GIB },
  { pattern: /opensuse|suse/i, name: "openSUSE", osType: "linux", memoryMiB: 2048, diskMiB: 20 * GIB },
  { pattern: /nixos/i, name: "NixOS", osType: "linux", memoryMiB: 2048, diskMiB: 20 * GIB },
  { pattern: /tinycore|corepure/i, name: "Tiny Core", osType: "linux", memoryMiB: 256, diskMiB: 2 * GIB },
  { pattern: /memtest/i, name: "Memtest86+", osType: "other", memoryMiB: 256, diskMiB: 0 },
  { pattern: /grub|rescue|gparted|clonezilla/i, name: "Rescue", osType: "linux", memoryMiB: 512, diskMiB: 0 },
  { pattern: /ipxe/i, name: "Network boot", osType: "other", memoryMiB: 1024, diskMiB: 20 * GIB },
  { pattern: /freedos|fd1[0-9]/i, name: "FreeDOS", osType: "other", memoryMiB: 64, diskMiB: GIB },
  { pattern: /freebsd/i, name: "FreeBSD", osType: "other", memoryMiB: 1024, diskMiB: 20 * GIB },
  { pattern: /openbsd/i, name: "OpenBSD", osType: "other", memoryMiB: 512, diskMiB: 20 * GIB },
  { pattern: /netbsd/i, name: "NetBSD", osType: "other", memoryMiB: 512, diskMiB: 20 * GIB },
  { pattern: /haiku/i, name: "Haiku", osType: "other", memoryMiB: 1024, diskMiB: 10 * GIB },
  { pattern: /reactos/i, name: "ReactOS", osType: "other", memoryMiB: 512, diskMiB: 10 * GIB },
  {
    pattern: /windows|\bwin(xp|7|8|10|11)|ccoma_x64|sss_x64/i,
    name: "Windows",
    osType: "other",
    memoryMiB: 3072,
    diskMiB: 64 * GIB,
  },
];
const UNKNOWN = { osType: "other", memoryMiB: 1024, diskMiB: 20 * GIB } as const;

/** @throws AppError for a file that can't be read. A file that is no ISO image has `bootsBios` false. */
export async function describeMedium(file: string): Promise<MediumFacts> {
  await checkDisc(file);
  const opened = await NodeImageFile.open(await canonical(file), { readOnly: true, lock: null });
  try {
    const sizeBytes = await opened.size();
    const iso = await readIso(opened);
    const label = iso?.label ?? "";
    const fileName = path.basename(file);
    const system = SYSTEMS.find(({ pattern }) => pattern.test(`${label} ${fileName}`));
    const { osType, memoryMiB, diskMiB } = system ?? UNKNOWN;
    return {
      ...{ label, sizeBytes, osType, memoryMiB, diskMiB },
      name: nameFor(system, label, fileName),
      isIso: iso !== null,
      bootsBios: iso?.bootsBios ?? false,
      bootsUefi: iso?.bootsUefi ?? false,
      // A BIOS starts faster; UEFI is for what needs it.
      firmware: iso?.bootsUefi && !iso.bootsBios ? "uefi" : "bios",
    };
  } finally {
    await opened.close();
  }
}

/** `Debian 12.11`: the system with the version that label or file name tell, else the file's name. */
function nameFor(system: System | undefined, label: string, fileName: string): string {
  if (!system) return fileName.replace(/\.[^.]*$/, "").replaceAll(/[\p{Cc}/\\]/gu, "") || "New machine";
  const version = /(?<![\w.])\d{1,2}(?:\.\d{1,3}){0,2}(?![\d.]*\d)/.exec(
    `${label} ${fileName.replaceAll("_", " ")}`,
  )?.[0];
  return version === undefined ? system.name : `${system.name} ${version.replace(/\.0$/, "")}`;
}
