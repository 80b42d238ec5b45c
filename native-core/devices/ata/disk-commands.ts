// What an ATA disk does with a command: a pure function from the task file to a plan, which IDE and AHCI carry out each in its own way.
import { SECTOR_SIZE_BYTES } from "../block-backend.ts";
import { type DriveIdentity, diskGeometry, identifyDisk } from "./identify.ts";
import { ATA_COMMAND, ATA_DEVICE, DSM_TRIM, MULTIPLE_MAX, SET_FEATURES, SIGNATURE } from "./registers.ts";

/** Registers as the host wrote them; 16-bit ones hold the byte before in their upper half (48-bit commands). */
export interface TaskFile {
  features: number;
  count: number;
  lbaLow: number;
  lbaMid: number;
  lbaHigh: number;
  device: number;
}

export type AtaPlan =
  | { readonly kind: "reply"; readonly data: Uint8Array }
  | {
      readonly kind: "read" | "write";
      readonly offset: number;
      readonly length: number;
      readonly dma: boolean;
      readonly blockBytes: number;
      readonly durable?: boolean;
    }
  /** The host sends `length` bytes of {lba:48 sectors:16} entries. */
  | { readonly kind: "trim"; readonly length: number }
  | { readonly kind: "packet"; readonly dma: boolean }
  | { readonly kind: "flush" | "done" | "reset" | "diagnose" | "abort" | "notFound" };

/** What commands change in a disk. */
export interface DiskSettings {
  /** Sectors per interrupt, 0 = READ/WRITE MULTIPLE are off. */
  multiple: number;
  writeCache: boolean;
  ultraDmaMode: number;
  heads: number;
  sectorsPerTrack: number;
}

export interface DiskDescription extends DriveIdentity {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly queueDepth: number;
}

export function initialDiskSettings(): DiskSettings {
  const { heads, sectorsPerTrack } = diskGeometry(0);
  return { multiple: MULTIPLE_MAX, writeCache: true, ultraDmaMode: 0x20, heads, sectorsPerTrack };
}

const done: AtaPlan = { kind: "done" };
const abort: AtaPlan = { kind: "abort" };

/** Carries out commands without data at once: they change `settings` and `task`. */
export function planDiskCommand(
  command: number,
  task: TaskFile,
  settings: DiskSettings,
  disk: DiskDescription,
): AtaPlan {
  const sectors = Math.floor(disk.sizeBytes / SECTOR_SIZE_BYTES);
  switch (command) {
    case ATA_COMMAND.IDENTIFY:
      return { kind: "reply", data: identifyDisk({ ...disk, sectors, ...settings, trim: !disk.readOnly }) };
    case ATA_COMMAND.READ_SECTORS:
    case ATA_COMMAND.READ_SECTORS_NO_RETRY:
      return transfer("read", false, 1);
    case ATA_COMMAND.READ_SECTORS_EXT:
      return transfer("read", true, 1);
    case ATA_COMMAND.READ_MULTIPLE:
      return settings.multiple === 0 ? abort : transfer("read", false, settings.multiple);
    case ATA_COMMAND.READ_MULTIPLE_EXT:
      return settings.multiple === 0 ? abort : transfer("read", true, settings.multiple);
    case ATA_COMMAND.WRITE_SECTORS:
    case ATA_COMMAND.WRITE_SECTORS_NO_RETRY:
      return transfer("write", false, 1);
    case ATA_COMMAND.WRITE_SECTORS_EXT:
      return transfer("write", true, 1);
    case ATA_COMMAND.WRITE_MULTIPLE:
      return settings.multiple === 0 ? abort : transfer("write", false, settings.multiple);
    case ATA_COMMAND.WRITE_MULTIPLE_EXT:
      return settings.multiple === 0 ? abort : transfer("write", true, settings.multiple);
    case ATA_COMMAND.READ_DMA:
    case ATA_COMMAND.READ_DMA_NO_RETRY:
      return transfer("read", false, "dma");
    case ATA_COMMAND.READ_DMA_EXT:
      return transfer("read", true, "dma");
    case ATA_COMMAND.WRITE_DMA:
    case ATA_COMMAND.WRITE_DMA_NO_RETRY:
      return transfer("write", false, "dma");
    case ATA_COMMAND.WRITE_DMA_EXT:
      return transfer("write", true, "dma");
    case ATA_COMMAND.WRITE_DMA_FUA_EXT:
      return transfer("write", true, "dma", true);
    case ATA_COMMAND.READ_VERIFY:
    case ATA_COMMAND.READ_VERIFY_NO_RETRY:
      return inside(false) ? done : { kind: "notFound" };
    case ATA_COMMAND.READ_VERIFY_EXT:
      return inside(true) ? done : { kind: "notFound" };
    case ATA_COMMAND.FLUSH_CACHE:
    case ATA_COMMAND.FLUSH_CACHE_EXT:
      return { kind: "flush" };
    case ATA_COMMAND.DATA_SET_MANAGEMENT:
      if (disk.readOnly || (task.features & 0xff) !== DSM_TRIM) return abort;
      return { kind: "trim", length: (task.count || 0x10000) * SECTOR_SIZE_BYTES };
    case ATA_COMMAND.READ_NATIVE_MAX:
      setAddress(Math.min(sectors, 2 ** 28) - 1, false);
      return done;
    case ATA_COMMAND.READ_NATIVE_MAX_EXT:
      setAddress(sectors - 1, true);
      return done;
    case ATA_COMMAND.SET_MULTIPLE: {
      const count = task.count & 0xff;
      if (count > MULTIPLE_MAX || (count & (count - 1)) !== 0) return abort;
      settings.multiple = count;
      return done;
    }
    case ATA_COMMAND.INITIALIZE_PARAMETERS:
      settings.heads = (task.device & 0x0f) + 1;
      settings.sectorsPerTrack = task.count & 0xff || 1;
      return done;
    case ATA_COMMAND.SET_FEATURES:
      return setFeatures();
    case ATA_COMMAND.EXECUTE_DIAGNOSTIC:
      return { kind: "diagnose" };
    case ATA_COMMAND.CHECK_POWER:
      task.count = 0xff;
      return done;
    case ATA_COMMAND.RECALIBRATE:
    case ATA_COMMAND.SEEK:
    case ATA_COMMAND.STANDBY_IMMEDIATE:
    case ATA_COMMAND.IDLE_IMMEDIATE:
    case ATA_COMMAND.STANDBY:
    case ATA_COMMAND.IDLE:
    case ATA_COMMAND.SLEEP:
      return done;
    default:
      return abort;
  }

  function transfer(kind: "read" | "write", extended: boolean, unit: number | "dma", durable = false): AtaPlan {
    if (kind === "write" && disk.readOnly) return abort;
    if (!inside(extended)) return { kind: "notFound" };
    const length = sectorCount(task, extended) * SECTOR_SIZE_BYTES;
    const dma = unit === "dma";
    return {
      ...{ kind, offset: address(task, settings, extended) * SECTOR_SIZE_BYTES, length, dma },
      blockBytes: (dma ? 1 : unit) * SECTOR_SIZE_BYTES,
      durable: durable || (kind === "write" && !settings.writeCache),
    };
  }

  function inside(extended: boolean): boolean {
    const first = address(task, settings, extended);
    return first >= 0 && first + sectorCount(task, extended) <= sectors;
  }

  function setAddress(sector: number, extended: boolean): void {
    const byte = (index: number) => Math.floor(sector / 2 ** (8 * index)) & 0xff;
    task.lbaLow = (extended ? byte(3) << 8 : 0) | byte(0);
    task.lbaMid = (extended ? byte(4) << 8 : 0) | byte(1);
    task.lbaHigh = (extended ? byte(5) << 8 : 0) | byte(2);
    if (!extended) task.device = (task.device & 0xf0) | (byte(3) & 0x0f);
  }

  function setFeatures(): AtaPlan {
    switch (task.features & 0xff) {
      case SET_FEATURES.WRITE_CACHE_ON:
        settings.writeCache = true;
        return done;
      case SET_FEATURES.WRITE_CACHE_OFF:
        settings.writeCache = false;
        return done;
      case SET_FEATURES.TRANSFER_MODE: {
        const mode = task.count & 0xff;
        // Bits 7..3: 8 = Ultra DMA, below that PIO and multiword DMA.
        settings.ultraDmaMode = mode >> 3 === 8 ? 1 << (mode & 7) : 0;
        return mode >> 3 <= 8 ? done : abort;
      }
      default:
        return done;
    }
  }
}

/** 0 stands for the largest count. */
function sectorCount(task: TaskFile, extended: boolean): number {
  return extended ? task.count || 0x10000 : task.count & 0xff || 0x100;
}

/** First sector by 48-bit or 28-bit LBA, or by cylinder, head and sector; -1 for an impossible sector number. */
function address(task: TaskFile, settings: DiskSettings, extended: boolean): number {
  const { lbaLow, lbaMid, lbaHigh, device } = task;
  const low = (lbaLow & 0xff) + (lbaMid & 0xff) * 2 ** 8 + (lbaHigh & 0xff) * 2 ** 16;
  if (extended) return low + (lbaLow >>> 8) * 2 ** 24 + (lbaMid >>> 8) * 2 ** 32 + (lbaHigh >>> 8) * 2 ** 40;
  if (device & ATA_DEVICE.LBA) return low + (device & 0x0f) * 2 ** 24;
  const cylinder = (lbaMid & 0xff) | ((lbaHigh & 0xff) << 8);
  const sector = lbaLow & 0xff;
  if (sector === 0) return -1;
  return (cylinder * settings.heads + (device & 0x0f)) * settings.sectorsPerTrack + sector - 1;
}

/** Registers after reset, by which hosts tell disks from packet devices. */
export function resetTaskFile(packet: boolean, device = 0): TaskFile {
  const [lbaMid, lbaHigh] = packet ? SIGNATURE.PACKET : SIGNATURE.DISK;
  return { features: 0, count: 1, lbaLow: 1, lbaMid, lbaHigh, device };
}
