// The SCSI commands of a disk (SPC-4, SBC-3), as far as systems use them: what a command comes to, without doing it. USB sticks and
// disks on virtio-scsi share it; how data travels is the transport's.
import { type BlockBackend, SECTOR_SIZE_BYTES } from "../block-backend.ts";
import type { DiskRange } from "../disk-requests.ts";
import { type DiskIdentity, inquiryData, vitalData, ZEROES_LIMITS } from "./disk-replies.ts";
import { SCSI, SENSE, type Sense, senseData } from "./registers.ts";

const UNMAP = 0x42;
const READ_CAPACITY_16 = 0x10;
const PAGE = { CACHING: 8, ALL: 0x3f } as const;
const PAGE_CONTROL_CHANGEABLE = 1;
const WRITE_CACHE = 4;
const MODE = { WRITE_PROTECT: 0x80, FORCE_UNIT_ACCESS: 0x10 } as const;
/** Bit 3 of the second byte of a write: it survives a power failure. */
const FORCE_UNIT_ACCESS = 8;
const WRITE_SAME = { NO_DATA: 1, UNMAP: 8 } as const;
const UNMAP_HEADER_BYTES = 8;
const UNMAP_RANGE_BYTES = 16;
/** Of READ CAPACITY (16): blocks can be unmapped, and read as zeroes then. */
const PROVISIONING = 0xc0;
/** log2 of logical blocks in 4 KiB, what images store at least. */
const BLOCKS_PER_PHYSICAL_EXPONENT = 3;

export type DiskCommand =
  | { readonly kind: "data"; readonly data: Uint8Array }
  | { readonly kind: "read"; readonly offset: number; readonly length: number }
  | { readonly kind: "write"; readonly offset: number; readonly length: number; readonly durable: boolean }
  | { readonly kind: "writeZeroes"; readonly ranges: readonly DiskRange[] }
  /** What it comes to is in `length` bytes that come with it. */
  | { readonly kind: "parameters"; readonly length: number; readonly parse: (data: Uint8Array) => DiskCommand }
  | { readonly kind: "flush" }
  | { readonly kind: "ok" }
  | { readonly kind: "error"; readonly sense: Sense };

/** `command`: 16 bytes. `sense`: of the command before, for REQUEST SENSE. */
export function diskCommand(
  command: Uint8Array,
  disk: BlockBackend,
  identity: DiskIdentity,
  sense: Sense = SENSE.NONE,
): DiskCommand {
  const view = new DataView(command.buffer, command.byteOffset, command.length);
  switch (view.getUint8(0)) {
    case SCSI.INQUIRY:
      return inquiry(view, disk, identity);
    case SCSI.REQUEST_SENSE:
      return data(senseData(sense), view.getUint8(4));
    case SCSI.TEST_UNIT_READY:
    case SCSI.START_STOP_UNIT:
    case SCSI.PREVENT_ALLOW_REMOVAL:
    case SCSI.VERIFY_10:
    case SCSI.VERIFY_16:
      return { kind: "ok" };
    case SCSI.SYNCHRONIZE_CACHE:
    case SCSI.SYNCHRONIZE_CACHE_16:
      return { kind: "flush" };
    case SCSI.MODE_SENSE_6:
      return data(modeData(4, disk, view), view.getUint8(4));
    case SCSI.MODE_SENSE_10:
      return data(modeData(8, disk, view), view.getUint16(7));
    case SCSI.READ_CAPACITY: {
      const reply = new DataView(new ArrayBuffer(8));
      reply.setUint32(0, Math.min(blocksOf(disk) - 1, 0xffff_ffff));
      reply.setUint32(4, SECTOR_SIZE_BYTES);
      return data(new Uint8Array(reply.buffer), 8);
    }
    case SCSI.SERVICE_ACTION_IN_16:
      return (view.getUint8(1) & 0x1f) === READ_CAPACITY_16
        ? data(capacity16(disk), view.getUint32(10))
        : refusal(SENSE.INVALID_FIELD);
    case SCSI.REPORT_LUNS:
      // One unit, number 0.
      return data(Uint8Array.from([0, 0, 0, 8, ...new Uint8Array(12)]), view.getUint32(6));
    default:
      return mediumCommand(view, disk);
  }
}

/** Commands that read or change blocks. */
function mediumCommand(view: DataView, disk: BlockBackend): DiskCommand {
  const operation = view.getUint8(0);
  const flags = view.getUint8(1);
  switch (operation) {
    case SCSI.READ_6:
    case SCSI.WRITE_6: {
      const kind = operation === SCSI.READ_6 ? "read" : "write";
      return transfer(kind, disk, view.getUint32(0) & 0x1f_ffff, view.getUint8(4) || 256, false);
    }
    case SCSI.READ_10:
      return transfer("read", disk, view.getUint32(2), view.getUint16(7), false);
    case SCSI.READ_12:
      return transfer("read", disk, view.getUint32(2), view.getUint32(6), false);
    case SCSI.READ_16:
      return transfer("read", disk, Number(view.getBigUint64(2)), view.getUint32(10), false);
    case SCSI.WRITE_10:
      return transfer("write", disk, view.getUint32(2), view.getUint16(7), (flags & FORCE_UNIT_ACCESS) !== 0);
    case SCSI.WRITE_12:
      return transfer("write", disk, view.getUint32(2), view.getUint32(6), (flags & FORCE_UNIT_ACCESS) !== 0);
    case SCSI.WRITE_16: {
      const first = Number(view.getBigUint64(2));
      return transfer("write", disk, first, view.getUint32(10), (flags & FORCE_UNIT_ACCESS) !== 0);
    }
    case SCSI.WRITE_SAME_10:
      return writeSame(disk, view.getUint32(2), view.getUint16(7), flags);
    case SCSI.WRITE_SAME_16:
      return writeSame(disk, Number(view.getBigUint64(2)), view.getUint32(10), flags);
    case UNMAP:
      return { kind: "parameters", length: view.getUint16(7), parse: (list) => unmap(disk, list) };
    default:
      return refusal(SENSE.INVALID_COMMAND);
  }
}

const blocksOf = (disk: BlockBackend): number => disk.sizeBytes / SECTOR_SIZE_BYTES;

/** Why blocks can't be changed or reached. */
function obstacle(disk: BlockBackend, first: number, count: number, write: boolean): Sense | undefined {
  if (first + count > blocksOf(disk)) return SENSE.BLOCK_OUT_OF_RANGE;
  return write && disk.readOnly ? SENSE.WRITE_PROTECTED : undefined;
}

function transfer(
  kind: "read" | "write",
  disk: BlockBackend,
  first: number,
  count: number,
  durable: boolean,
): DiskCommand {
  const reason = obstacle(disk, first, count, kind === "write");
  if (reason) return refusal(reason);
  if (count === 0) return { kind: "ok" };
  const range = { offset: first * SECTOR_SIZE_BYTES, length: count * SECTOR_SIZE_BYTES };
  return kind === "read" ? { kind, ...range } : { kind, ...range, durable };
}

/** SBC-3 5.45. Only zeroes are written to many blocks at once; systems ask for nothing else. */
function writeSame(disk: BlockBackend, first: number, blocks: number, flags: number): DiskCommand {
  // 0: to the end of the disk.
  const count = blocks || blocksOf(disk) - first;
  const reason = obstacle(disk, first, count, true);
  if (reason) return refusal(reason);
  if (count > ZEROES_LIMITS.MAX_BLOCKS) return refusal(SENSE.INVALID_FIELD);
  const unmaps = (flags & WRITE_SAME.UNMAP) !== 0;
  const range = { offset: first * SECTOR_SIZE_BYTES, length: count * SECTOR_SIZE_BYTES, unmap: unmaps };
  const zeroes: DiskCommand = { kind: "writeZeroes", ranges: [range] };
  if ((flags & WRITE_SAME.NO_DATA) !== 0) return zeroes;
  return {
    kind: "parameters",
    length: SECTOR_SIZE_BYTES,
    parse: (block) => (block.every((byte) => byte === 0) ? zeroes : refusal(SENSE.INVALID_FIELD)),
  };
}

/** SBC-3 5.28: a list of first block (64 bits) and count (32 bits). */
function unmap(disk: BlockBackend, list: Uint8Array): DiskCommand {
  if (list.length === 0) return { kind: "ok" };
  if (list.length < UNMAP_HEADER_BYTES) return refusal(SENSE.PARAMETER_LIST_LENGTH);
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  const count = Math.floor(Math.min(view.getUint16(2), list.length - UNMAP_HEADER_BYTES) / UNMAP_RANGE_BYTES);
  if (count > ZEROES_LIMITS.MAX_RANGES) return refusal(SENSE.INVALID_PARAMETER);
  const ranges: DiskRange[] = [];
  for (let index = 0; index < count; index++) {
    const at = UNMAP_HEADER_BYTES + index * UNMAP_RANGE_BYTES;
    const first = Number(view.getBigUint64(at));
    const blocks = view.getUint32(at + 8);
    const reason = obstacle(disk, first, blocks, true);
    if (reason) return refusal(reason);
    if (blocks > 0) ranges.push({ offset: first * SECTOR_SIZE_BYTES, length: blocks * SECTOR_SIZE_BYTES, unmap: true });
  }
  // Not a discard, which may leave what was there: READ CAPACITY (16) promises zeroes.
  return ranges.length > 0 ? { kind: "writeZeroes", ranges } : { kind: "ok" };
}

/** The header of mode data and, where it is asked for, the page that says that writes are cached until they are flushed. */
function modeData(headerBytes: 4 | 8, { readOnly }: BlockBackend, command: DataView): Uint8Array {
  const page = command.getUint8(2) & 0x3f;
  // Nothing in it can be changed.
  const cache = command.getUint8(2) >> 6 === PAGE_CONTROL_CHANGEABLE ? 0 : WRITE_CACHE;
  const caching = page === PAGE.CACHING || page === PAGE.ALL ? [PAGE.CACHING, 18, cache, ...new Uint8Array(17)] : [];
  const length = headerBytes + caching.length;
  const device = MODE.FORCE_UNIT_ACCESS | (readOnly ? MODE.WRITE_PROTECT : 0);
  const header = headerBytes === 4 ? [length - 1, 0, device, 0] : [0, length - 2, 0, device, 0, 0, 0, 0];
  return Uint8Array.from([...header, ...caching]);
}

function capacity16(disk: BlockBackend): Uint8Array {
  const reply = new DataView(new ArrayBuffer(32));
  reply.setBigUint64(0, BigInt(blocksOf(disk) - 1));
  reply.setUint32(8, SECTOR_SIZE_BYTES);
  reply.setUint8(13, BLOCKS_PER_PHYSICAL_EXPONENT);
  reply.setUint8(14, disk.readOnly ? 0 : PROVISIONING);
  return new Uint8Array(reply.buffer);
}

function inquiry(view: DataView, disk: BlockBackend, identity: DiskIdentity): DiskCommand {
  const page = view.getUint8(2);
  const vital = (view.getUint8(1) & 1) !== 0;
  const reply = vital ? vitalData(page, disk, identity) : page === 0 ? inquiryData(identity) : undefined;
  return reply ? data(reply, view.getUint16(3)) : refusal(SENSE.INVALID_FIELD);
}

function data(reply: Uint8Array, allowed: number): DiskCommand {
  return { kind: "data", data: reply.subarray(0, allowed) };
}

function refusal(sense: Sense): DiskCommand {
  return { kind: "error", sense };
}
