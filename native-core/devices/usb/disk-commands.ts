// The SCSI commands of a USB stick (SPC-4, SBC-3), as far as class drivers use them: what a command comes to, without doing it.
import type { BlockBackend } from "../block-backend.ts";
import { SECTOR_SIZE_BYTES } from "../block-backend.ts";
import { SCSI, SENSE, type Sense } from "../scsi/registers.ts";

const DISK = {
  WRITE_10: 0x2a,
  VERIFY_10: 0x2f,
  READ_16: 0x88,
  WRITE_16: 0x8a,
  SERVICE_ACTION_16: 0x9e,
  REPORT_LUNS: 0xa0,
} as const;
const READ_CAPACITY_16 = 0x10;
const CACHING_PAGE = 8;
const ALL_PAGES = 0x3f;
const WRITE_CACHE = 4;
const WRITE_PROTECTED: Sense = [0x7, 0x27, 0x00];
const WRITE_FAULT: Sense = [0x3, 0x0c, 0x00];

export type DiskCommand =
  | { readonly kind: "data"; readonly data: Uint8Array }
  | { readonly kind: "read" | "write"; readonly offset: number; readonly length: number }
  | { readonly kind: "flush" }
  | { readonly kind: "ok" }
  | { readonly kind: "error"; readonly sense: Sense };

export const DISK_SENSE = { ...SENSE, WRITE_PROTECTED, WRITE_FAULT } as const;

/** `command`: 16 bytes. `sense`: of the command before, for REQUEST SENSE. */
export function diskCommand(command: Uint8Array, disk: BlockBackend, product: string, sense: Sense): DiskCommand {
  const view = new DataView(command.buffer, command.byteOffset, command.length);
  const blocks = disk.sizeBytes / SECTOR_SIZE_BYTES;
  const transfer = (kind: "read" | "write", first: number, count: number): DiskCommand => {
    if (first + count > blocks) return { kind: "error", sense: SENSE.BLOCK_OUT_OF_RANGE };
    if (kind === "write" && disk.readOnly) return { kind: "error", sense: WRITE_PROTECTED };
    return { kind, offset: first * SECTOR_SIZE_BYTES, length: count * SECTOR_SIZE_BYTES };
  };
  switch (view.getUint8(0)) {
    case SCSI.INQUIRY:
      return (view.getUint8(1) & 1) === 0 ? data(inquiry(product), view.getUint16(3)) : refusal(SENSE.INVALID_FIELD);
    case SCSI.REQUEST_SENSE: {
      const reply = new Uint8Array(18);
      reply.set([0x70, 0, sense[0], 0, 0, 0, 0, 10]);
      reply.set([sense[1], sense[2]], 12);
      return data(reply, view.getUint8(4));
    }
    case SCSI.TEST_UNIT_READY:
    case SCSI.START_STOP_UNIT:
    case SCSI.PREVENT_ALLOW_REMOVAL:
    case DISK.VERIFY_10:
      return { kind: "ok" };
    case SCSI.SYNCHRONIZE_CACHE:
      return { kind: "flush" };
    case SCSI.MODE_SENSE_6:
      return data(modeData(4, disk, view.getUint8(2) & 0x3f), view.getUint8(4));
    case SCSI.MODE_SENSE_10:
      return data(modeData(8, disk, view.getUint8(2) & 0x3f), view.getUint16(7));
    case SCSI.READ_CAPACITY: {
      const reply = new DataView(new ArrayBuffer(8));
      reply.setUint32(0, Math.min(blocks - 1, 0xffff_ffff));
      reply.setUint32(4, SECTOR_SIZE_BYTES);
      return data(new Uint8Array(reply.buffer), 8);
    }
    case DISK.SERVICE_ACTION_16: {
      if ((view.getUint8(1) & 0x1f) !== READ_CAPACITY_16) return refusal(SENSE.INVALID_FIELD);
      const reply = new DataView(new ArrayBuffer(32));
      reply.setBigUint64(0, BigInt(blocks - 1));
      reply.setUint32(8, SECTOR_SIZE_BYTES);
      return data(new Uint8Array(reply.buffer), view.getUint32(10));
    }
    case DISK.REPORT_LUNS:
      return data(Uint8Array.from([0, 0, 0, 8, ...new Uint8Array(12)]), view.getUint32(6));
    case SCSI.READ_10:
      return transfer("read", view.getUint32(2), view.getUint16(7));
    case DISK.WRITE_10:
      return transfer("write", view.getUint32(2), view.getUint16(7));
    case DISK.READ_16:
      return transfer("read", Number(view.getBigUint64(2)), view.getUint32(10));
    case DISK.WRITE_16:
      return transfer("write", Number(view.getBigUint64(2)), view.getUint32(10));
    default:
      return refusal(SENSE.INVALID_COMMAND);
  }
}

/** The header of mode data and, where it is asked for, the page that says that writes are cached until they are flushed. */
function modeData(headerBytes: 4 | 8, { readOnly }: BlockBackend, page: number): Uint8Array {
  const caching =
    page === CACHING_PAGE || page === ALL_PAGES ? [CACHING_PAGE, 18, WRITE_CACHE, ...new Uint8Array(17)] : [];
  const length = headerBytes + caching.length;
  const writeProtect = readOnly ? 0x80 : 0;
  const header = headerBytes === 4 ? [length - 1, 0, writeProtect, 0] : [0, length - 2, 0, writeProtect, 0, 0, 0, 0];
  return Uint8Array.from([...header, ...caching]);
}

function data(reply: Uint8Array, allowed: number): DiskCommand {
  return { kind: "data", data: reply.subarray(0, allowed) };
}

function refusal(sense: Sense): DiskCommand {
  return { kind: "error", sense };
}

/** A removable direct-access device. */
function inquiry(product: string): Uint8Array {
  const reply = new Uint8Array(36);
  reply.set([0, 0x80, 6, 2, 31]);
  reply.set(new TextEncoder().encode("TERRARIU".padEnd(8)), 8);
  reply.set(new TextEncoder().encode(product.slice(0, 16).padEnd(16)), 16);
  reply.set(new TextEncoder().encode("1.0 "), 32);
  return reply;
}
