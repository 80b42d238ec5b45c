// What a SCSI disk says of itself: who it is, and its vital product data (SPC-4 6.6, 7.8; SBC-3 6.6).
import type { BlockBackend } from "../block-backend.ts";

export interface DiskIdentity {
  /** At most 16 characters. */
  readonly product: string;
  /** At most 20 characters of ASCII; Linux shows it under /dev/disk/by-id. */
  readonly serial: string;
  /** A stick. */
  readonly removable: boolean;
}

/** Of UNMAP and WRITE SAME. */
export const ZEROES_LIMITS = { MAX_BLOCKS: 0x3f_ffff, MAX_RANGES: 255 } as const;

const VITAL = {
  PAGES: 0x00,
  SERIAL: 0x80,
  IDENTIFICATION: 0x83,
  LIMITS: 0xb0,
  MEDIUM: 0xb1,
  PROVISIONING: 0xb2,
} as const;
const REMOVABLE = 0x80;
/** SPC-4; commands can be queued. */
const VERSION = 6;
const COMMAND_QUEUE = 2;
const VENDOR = "TERRARIU";
const ASCII_T10_VENDOR = [2, 1] as const;
const NOT_ROTATING = 1;
/** Granularity that is best to unmap, in blocks: what images store at least is 4 KiB. */
const UNMAP_GRANULARITY = 8;
/** UNMAP and both WRITE SAMEs give space back, and what is unmapped reads as zeroes. */
const PROVISIONING_COMMANDS = 0xe4;
const THIN = 2;

const ascii = (text: string, length: number): number[] =>
  Array.from(text.slice(0, length).padEnd(length), (character) => character.charCodeAt(0) & 0x7f);

export function inquiryData({ product, removable }: DiskIdentity): Uint8Array {
  return Uint8Array.from([
    ...[0, removable ? REMOVABLE : 0, VERSION, 2, 31, 0, 0, removable ? 0 : COMMAND_QUEUE],
    ...[...ascii(VENDOR, 8), ...ascii(product, 16), ...ascii("1.0", 4)],
  ]);
}

/** Undefined for a page that is not there. */
export function vitalData(page: number, disk: BlockBackend, { product, serial }: DiskIdentity): Uint8Array | undefined {
  const bodies: Record<number, () => number[]> = {
    [VITAL.PAGES]: () => Object.keys(bodies).map(Number),
    [VITAL.SERIAL]: () => ascii(serial, Math.min(20, serial.length)),
    [VITAL.IDENTIFICATION]: () => {
      const name = [...ascii(VENDOR, 8), ...ascii(`${product} ${serial}`, 36)];
      return [...ASCII_T10_VENDOR, 0, name.length, ...name];
    },
    [VITAL.LIMITS]: () => limits(disk),
    [VITAL.MEDIUM]: () => [0, NOT_ROTATING, ...new Uint8Array(58)],
    [VITAL.PROVISIONING]: () => (disk.readOnly ? [0, 0, 0, 0] : [0, PROVISIONING_COMMANDS, THIN, 0]),
  };
  const body = bodies[page]?.();
  return body && Uint8Array.from([0, page, body.length >> 8, body.length & 0xff, ...body]);
}

function limits(disk: BlockBackend): number[] {
  const view = new DataView(new ArrayBuffer(60));
  // WRITE SAME of no blocks, which means the whole disk, may be refused.
  view.setUint8(0, 1);
  view.setUint16(2, UNMAP_GRANULARITY);
  if (!disk.readOnly) {
    view.setUint32(16, ZEROES_LIMITS.MAX_BLOCKS);
    view.setUint32(20, ZEROES_LIMITS.MAX_RANGES);
    view.setUint32(24, UNMAP_GRANULARITY);
    view.setBigUint64(32, BigInt(ZEROES_LIMITS.MAX_BLOCKS));
  }
  return [...new Uint8Array(view.buffer)];
}
