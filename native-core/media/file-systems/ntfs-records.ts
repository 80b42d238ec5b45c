// Records of NTFS's master file table and the attributes in them; everything that is read is untrusted.
//
//   FILE  fix-ups  flags  base record | attribute | attribute | ... | end
//   attribute: type, length, then its value (resident) or where its value is: runs of clusters
import { damagedFileSystem } from "./file-system.ts";

const SECTOR = 512;
// "FILE"
const SIGNATURE = 0x454c4946;
const ATTRIBUTES_END = 0xffffffff;
export const RECORD_FLAG = { used: 1, folder: 2 } as const;

export interface NtfsRecord {
  readonly view: DataView;
  readonly flags: number;
  /** The file's first record, or 0 if this is it. */
  readonly base: number;
}

interface AttributeHead {
  readonly type: number;
  readonly isNamed: boolean;
  readonly flags: number;
}

export type NtfsAttribute = AttributeHead &
  (
    | { readonly resident: true; readonly value: DataView }
    | {
        readonly resident: false;
        readonly firstCluster: number;
        readonly sizeBytes: number;
        readonly initializedBytes: number;
        readonly runs: DataView;
      }
  );

export interface NtfsRun {
  /** Within the value. */
  readonly first: number;
  readonly clusters: number;
  /** Undefined for one that reads as zeroes. */
  readonly start: number | undefined;
}

/** Undefined for a record that is none, or whose sectors were not all written. Puts the ends of its sectors back, in place. */
export function openRecord(bytes: Uint8Array): NtfsRecord | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== SIGNATURE) return undefined;
  const fixUps = view.getUint16(4, true);
  const count = view.getUint16(6, true);
  if (count !== bytes.length / SECTOR + 1 || fixUps + 2 * count > SECTOR) return undefined;
  const mark = view.getUint16(fixUps, true);
  for (let sector = 1; sector < count; sector++) {
    const end = sector * SECTOR - 2;
    if (view.getUint16(end, true) !== mark) return undefined;
    view.setUint16(end, view.getUint16(fixUps + 2 * sector, true), true);
  }
  const base = Number(view.getBigUint64(32, true) & 0xffff_ffff_ffffn);
  return { view, flags: view.getUint16(22, true), base };
}

export function* attributesOf({ view }: NtfsRecord): Iterable<NtfsAttribute> {
  for (let at = view.getUint16(20, true); at + 24 <= view.byteLength; ) {
    const type = view.getUint32(at, true);
    if (type === ATTRIBUTES_END) return;
    const length = view.getUint32(at + 4, true);
    if (length < 24 || at + length > view.byteLength) throw damagedFileSystem("an attribute is too long");
    yield attributeIn(new DataView(view.buffer, view.byteOffset + at, length), type);
    at += length;
  }
}

function attributeIn(view: DataView, type: number): NtfsAttribute {
  const head = { type, isNamed: view.getUint8(9) !== 0, flags: view.getUint16(12, true) };
  const part = (offset: number, length: number): DataView => {
    if (offset + length > view.byteLength) throw damagedFileSystem("an attribute points outside of itself");
    return new DataView(view.buffer, view.byteOffset + offset, length);
  };
  if (view.getUint8(8) === 0) {
    return { ...head, resident: true, value: part(view.getUint16(20, true), view.getUint32(16, true)) };
  }
  if (view.byteLength < 64) throw damagedFileSystem("an attribute is too short");
  const runsAt = view.getUint16(32, true);
  return {
    ...head,
    resident: false,
    firstCluster: Number(view.getBigUint64(16, true)),
    sizeBytes: Number(view.getBigUint64(48, true)),
    initializedBytes: Number(view.getBigUint64(56, true)),
    runs: part(runsAt, Math.max(0, view.byteLength - runsAt)),
  };
}

/** Each run is a byte with the sizes of two numbers, the length and the step from the run before, and these numbers. */
export function runsOf(attribute: NtfsAttribute): NtfsRun[] {
  if (attribute.resident) return [];
  const { runs: view } = attribute;
  const runs: NtfsRun[] = [];
  let first = attribute.firstCluster;
  let start = 0;
  for (let at = 0; at < view.byteLength && view.getUint8(at) !== 0; ) {
    const sizes = view.getUint8(at);
    const [lengthBytes, stepBytes] = [sizes & 15, sizes >> 4];
    if (lengthBytes > 6 || stepBytes > 7 || at + 1 + lengthBytes + stepBytes > view.byteLength)
      throw damagedFileSystem("runs of clusters");
    const clusters = signed(view, at + 1, lengthBytes);
    if (clusters <= 0) throw damagedFileSystem("a run without clusters");
    start += signed(view, at + 1 + lengthBytes, stepBytes);
    if (start < 0) throw damagedFileSystem("a run before the start");
    runs.push({ first, clusters, start: stepBytes === 0 ? undefined : start });
    first += clusters;
    at += 1 + lengthBytes + stepBytes;
  }
  return runs;
}

function signed(view: DataView, at: number, bytes: number): number {
  let value = 0;
  for (let index = 0; index < bytes; index++) value += view.getUint8(at + index) * 2 ** (8 * index);
  const limit = 2 ** (8 * bytes - 1);
  return bytes > 0 && value >= limit ? value - 2 * limit : value;
}
