// A PC's firmware from an image (SeaBIOS, or OVMF for UEFI): the machine starts at the reset vector in ROM, and the firmware finds boot
// media by itself.
// What the image does not know about the board it reads through fw_cfg.

import { AppError } from "../common/errors.ts";
import { type ChipsetName, chipsetModel, ECAM_BASE } from "../devices/chipset/models.ts";
import type { FwCfgContent } from "../devices/fw-cfg/fw-cfg.ts";
import { FW_CFG_KEY } from "../devices/fw-cfg/registers.ts";
import { acpiFiles } from "./acpi/table-loader.ts";
import { buildAcpiTables } from "./acpi/tables.ts";
import { boardLayout } from "./board-setup.ts";
import type { Firmware, FirmwareTarget } from "./firmware.ts";
import { smbiosFiles } from "./smbios.ts";

const KIB = 1024;
/** Images end at 1 MiB as well as at 4 GiB; the lower copy shows the last 128 KiB until the firmware unlocks the area. */
const LOW_END = 0x100000;
const LOW_COPY_BYTES = 128 * KIB;
/** What an adapter may take of the space for PCI devices: four times what iPXE has. */
const ADAPTER_ROM_MAX_BYTES = 1024 * KIB;
const E820_ENTRY_BYTES = 20;
const E820_RAM = 1;

interface FirmwareFile {
  /** As the user knows it, for messages. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

export interface PcFirmwareParts {
  readonly bios: FirmwareFile;
  /** Absent for UEFI, which has its own driver. */
  readonly videoBios?: FirmwareFile;
  /** By model of network adapter: what boots from the network through it. */
  readonly adapterRoms?: ReadonlyMap<string, FirmwareFile>;
  readonly memoryBytes: number;
  /** The i440FX board by default. */
  readonly chipset?: ChipsetName;
  readonly cpuCount: number;
  /** 16 bytes that the guest sees as the machine's identity. */
  readonly uuid: Uint8Array;
  /** Open Firmware paths of devices, first choice first (boot-order.ts). */
  readonly bootOrder: readonly string[];
  /** How long "Press ESC for boot menu" waits; 0 shows nothing. */
  readonly bootMenuMs: number;
}

export class PcFirmware implements Firmware {
  readonly rom: Uint8Array;
  readonly videoRom?: Uint8Array;
  readonly adapterRoms: ReadonlyMap<string, Uint8Array>;
  readonly fwCfg: FwCfgContent;

  /** Throws AppError INVALID_FILE when an image can't be what it should be. */
  constructor(parts: PcFirmwareParts) {
    checkImage(parts.bios, (bytes) => bytes.length % (64 * KIB) === 0 && bytes.length >= LOW_COPY_BYTES);
    this.rom = parts.bios.bytes;
    if (parts.videoBios) {
      checkImage(parts.videoBios, (bytes) => isOptionRom(bytes) && bytes.length <= 64 * KIB);
      this.videoRom = parts.videoBios.bytes;
    }
    const roms = [...(parts.adapterRoms ?? [])];
    for (const [, rom] of roms) checkImage(rom, (bytes) => isOptionRom(bytes) && bytes.length <= ADAPTER_ROM_MAX_BYTES);
    this.adapterRoms = new Map(roms.map(([model, { bytes }]) => [model, bytes]));
    this.fwCfg = content(parts);
  }

  start({ memory }: FirmwareTarget): void {
    memory.write(LOW_END - LOW_COPY_BYTES, this.rom.subarray(this.rom.length - LOW_COPY_BYTES));
  }
}

function content(parts: PcFirmwareParts): FwCfgContent {
  const { memoryBytes, cpuCount, uuid, bootOrder } = parts;
  // UEFI waits for whole seconds. It would make one of the half second that is the default, each time it starts.
  const bootMenuMs = parts.videoBios ? parts.bootMenuMs : Math.floor(parts.bootMenuMs / 1000) * 1000;
  const ecamBase = parts.videoBios ? ECAM_BASE.bios : ECAM_BASE.uefi;
  const layout = boardLayout(chipsetModel(parts.chipset ?? "i440fx"), ecamBase);
  const files = new Map([
    ["etc/e820", ramRange(memoryBytes)],
    ...acpiFiles(buildAcpiTables(0, layout, cpuCount).image),
    ...smbiosFiles({ memoryBytes, cpuCount, uuid }),
    ["bootorder", new TextEncoder().encode(`${bootOrder.join("\n")}\0`)],
    ["etc/boot-menu-wait", u64(bootMenuMs)],
    ["etc/boot-fail-wait", u64(0xffff_ffff)],
  ]);
  const items = new Map([
    [FW_CFG_KEY.CPU_COUNT, u16(cpuCount)],
    [FW_CFG_KEY.MAX_CPU_COUNT, u16(cpuCount)],
    [FW_CFG_KEY.BOOT_MENU, u16(bootMenuMs > 0 ? 1 : 0)],
  ]);
  return { items, files };
}

/** One entry {base:u64 length:u64 type:u32}: all of RAM. Firmware reserves itself what it keeps below 1 MiB and at the top. */
function ramRange(memoryBytes: number): Uint8Array {
  const bytes = new Uint8Array(E820_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, BigInt(memoryBytes), true);
  view.setUint32(16, E820_RAM, true);
  return bytes;
}

/** PCI firmware specification 3.0, 5.1: the signature. */
function isOptionRom(bytes: Uint8Array): boolean {
  return bytes[0] === 0x55 && bytes[1] === 0xaa;
}

function checkImage({ file, bytes }: FirmwareFile, isSound: (bytes: Uint8Array) => boolean): void {
  if (isSound(bytes)) return;
  throw new AppError("INVALID_FILE", `${file} is not a firmware image of a PC`, {
    file,
    consequence: "The machine was not started.",
    remedy: "Run set-up again: it fetches the firmware anew.",
  });
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >>> 8);
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}
