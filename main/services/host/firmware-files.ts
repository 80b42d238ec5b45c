// The PC's firmware: SeaBIOS and its VGA BIOS, OVMF, and the option ROMs of network adapters, fetched by set-up (scripts/setup/firmware.ts)
// or installed on the system.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { StartRequest } from "../../../native-core/protocol/engine.ts";

const BIOS = "bios-256k.bin";
const VIDEO_BIOS = "vgabios-stdvga.bin";
/** Lines of sha256sum(1) that set-up wrote beside what it fetched. */
const CHECKSUMS = "SHA256SUMS";
/** Where distributions put SeaBIOS for QEMU. */
const SYSTEM_FOLDERS = ["/usr/share/seabios", "/usr/share/qemu", "/usr/share/qemu-kvm"];

const UEFI = { CODE: "OVMF_CODE.fd", VARIABLES: "OVMF_VARS.fd" } as const;
const UEFI_SYSTEM_FOLDERS = ["/usr/share/OVMF"];

/** iPXE's, under the names that distributions give them for QEMU. Each has a loader for a BIOS and a driver for UEFI. */
const ADAPTER_ROMS = { e1000: "efi-e1000.rom", rtl8139: "efi-rtl8139.rom", virtio: "efi-virtio.rom" } as const;
const ADAPTER_ROM_SYSTEM_FOLDERS = ["/usr/lib/ipxe/qemu", "/usr/share/ipxe/qemu", "/usr/share/qemu"];

type FirmwareFiles = NonNullable<StartRequest["firmware"]>;

/** UEFI's code, and the empty variables that a new machine starts with. @throws AppError as below. */
export async function findUefi(folder: string): Promise<{ codeFile: string; variablesFile: string }> {
  for (const candidate of [folder, ...UEFI_SYSTEM_FOLDERS]) {
    const files = { codeFile: path.join(candidate, UEFI.CODE), variablesFile: path.join(candidate, UEFI.VARIABLES) };
    if (await areThere(candidate, Object.values(files))) return files;
  }
  throw new AppError("NOT_FOUND", "UEFI firmware is not here", {
    file: path.join(folder, UEFI.CODE),
    field: "boot.firmware",
    consequence: "The machine was not started.",
    remedy: "Run `npm start` once: it fetches OVMF. Or install your system's package ovmf, or choose BIOS.",
  });
}

/** `folder`: where set-up put it. @throws AppError NOT_FOUND, or INVALID_FILE when a file is not what set-up fetched. */
export async function findFirmware(folder: string): Promise<FirmwareFiles> {
  for (const candidate of [folder, ...SYSTEM_FOLDERS]) {
    const files = {
      kind: "bios" as const,
      biosFile: path.join(candidate, BIOS),
      videoBiosFile: path.join(candidate, VIDEO_BIOS),
    };
    if (await areThere(candidate, [files.biosFile, files.videoBiosFile])) return files;
  }
  throw new AppError("NOT_FOUND", "The firmware that boots disks and discs is not here", {
    file: path.join(folder, BIOS),
    field: "boot.kernel",
    consequence: "The machine was not started.",
    remedy: "Run `npm start` once: it fetches SeaBIOS. Or install your system's package seabios.",
  });
}

/** The option ROMs of these models of adapter. @throws AppError as above */
export async function findAdapterRoms(
  folder: string,
  models: ReadonlySet<keyof typeof ADAPTER_ROMS>,
  systemFolders: readonly string[] = ADAPTER_ROM_SYSTEM_FOLDERS,
): Promise<NonNullable<StartRequest["adapterRoms"]>> {
  const roms: NonNullable<StartRequest["adapterRoms"]> = {};
  for (const model of models) roms[model] = await findAdapterRom([folder, ...systemFolders], ADAPTER_ROMS[model]);
  return roms;
}

async function findAdapterRom(folders: readonly string[], name: string): Promise<string> {
  for (const folder of folders) {
    const file = path.join(folder, name);
    if (await areThere(folder, [file])) return file;
  }
  throw new AppError("NOT_FOUND", "What boots from the network is not here", {
    file: path.join(folders[0] ?? "", name),
    field: "boot.order",
    consequence: "The machine was not started.",
    remedy:
      "Run `npm start` once: it fetches iPXE. Or install your system's package ipxe-qemu, or take the network out of the boot order.",
  });
}

async function areThere(folder: string, files: readonly string[]): Promise<boolean> {
  const sums = await readFile(path.join(folder, CHECKSUMS), "utf8").catch(() => null);
  for (const file of files) {
    const bytes = await readFile(file).catch(() => null);
    if (bytes === null) return false;
    const expected = sums === null ? null : checksumIn(sums, path.basename(file));
    if (expected === null || expected === createHash("sha256").update(bytes).digest("hex")) continue;
    throw new AppError("INVALID_FILE", `The firmware was changed since it was fetched: ${file}`, {
      file,
      field: "boot.kernel",
      consequence: "The machine was not started.",
      remedy: `Delete ${folder} and run \`npm start\`: it fetches the firmware again.`,
    });
  }
  return true;
}

function checksumIn(sums: string, name: string): string {
  const line = sums.split("\n").find((each) => each.endsWith(`  ${name}`));
  return line?.split(" ")[0] ?? "missing";
}
