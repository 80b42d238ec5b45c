// The qcow2 header, versions 2 and 3 (qemu docs/interop/qcow2.txt). Everything is big-endian and nothing in it is trusted.
//
//   0  magic "QFI\xfb"      20 cluster bits       40 L1 offset              60 snapshots          96 refcount order
//   4  version              24 disk size          48 refcount table offset  72 incompatible bits 100 header length
//   8  backing name offset  32 encryption         56 ... its clusters       80 compatible bits   104 compression type
//  16  ... its length       36 L1 entries                                   88 autoclear bits     then extensions
import { invalidImage, unsupportedImage } from "../media-error.ts";

export const QCOW2_MAGIC = 0x514649fb;
const HEADER_V2_LENGTH = 72;
export const HEADER_V3_LENGTH = 104;
const CLUSTER_BITS_MIN = 9;
export const CLUSTER_BITS_MAX = 21;
/** The specification's limit for the name of a backing file. */
export const BACKING_NAME_MAX = 1023;
/** Bounds on tables that are held in memory, the same as QEMU's. */
const L1_MAX_BYTES = 32 << 20;
export const REFCOUNT_TABLE_MAX_BYTES = 8 << 20;

export const INCOMPATIBLE = { dirty: 1n, corrupt: 2n, externalData: 4n, compressionType: 8n, extendedL2: 16n } as const;
export const EXTENSION = {
  end: 0,
  backingFormat: 0xe2792aca,
  externalDataName: 0x44415441,
  /** Where the LUKS header is: u64 offset, u64 length. */
  encryption: 0x0537be77,
} as const;
/** Encryption methods: none, AES-CBC of old (not supported), LUKS. */
export const ENCRYPTION_LUKS = 2;

interface HeaderExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly clusterSize: number;
  readonly sizeBytes: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  readonly refcountOrder: number;
  readonly snapshotCount: number;
  readonly incompatible: bigint;
  readonly compatible: bigint;
  readonly autoclear: bigint;
  readonly headerLength: number;
  readonly compression: "deflate" | "zstd";
  readonly extensions: readonly HeaderExtension[];
  /** Where the LUKS header of an encrypted image is. */
  readonly encryption: { readonly offset: number; readonly length: number } | undefined;
  readonly backing:
    | { readonly name: string; readonly format: string | undefined; readonly nameOffset: number }
    | undefined;
}

/**
 * Reads and checks a header. `bytes` is the start of the file, at least the first cluster if the file is that long.
 * Throws AppError INVALID_FILE or UNSUPPORTED naming `file` and the field.
 */
export function parseHeader(file: string, bytes: Uint8Array, fileSize: number): Qcow2Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_V2_LENGTH) throw invalidImage(file, "header", "is cut off");
  if (view.getUint32(0) !== QCOW2_MAGIC) throw invalidImage(file, "magic", "is not that of a qcow2 image");
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) {
    throw unsupportedImage(
      file,
      "version",
      `it is a qcow image of version ${version}`,
      "Convert it with `qemu-img convert -O qcow2`.",
    );
  }
  if (version === 3 && bytes.length < HEADER_V3_LENGTH) throw invalidImage(file, "header", "is cut off");
  const u64 = (offset: number, field: string): number => {
    const value = view.getBigUint64(offset);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalidImage(file, field, "is out of range");
    return Number(value);
  };

  const clusterBits = view.getUint32(20);
  if (clusterBits < CLUSTER_BITS_MIN || clusterBits > CLUSTER_BITS_MAX) {
    throw invalidImage(file, "cluster bits", `is ${clusterBits}, not ${CLUSTER_BITS_MIN} to ${CLUSTER_BITS_MAX}`);
  }
  const clusterSize = 2 ** clusterBits;
  const method = view.getUint32(32);
  if (method !== 0 && method !== ENCRYPTION_LUKS) {
    throw unsupportedImage(
      file,
      "encryption",
      `it is encrypted by method ${method}`,
      "Decrypt it with `qemu-img convert` first.",
    );
  }
  const sizeBytes = u64(24, "disk size");
  if (sizeBytes % 512 !== 0) throw invalidImage(file, "disk size", "is not a whole number of sectors");

  const l1Entries = view.getUint32(36);
  const l1Offset = u64(40, "L1 table offset");
  if (l1Entries * 8 > L1_MAX_BYTES) throw invalidImage(file, "L1 table size", "is out of range");
  const l1Needed = Math.ceil(sizeBytes / (clusterSize * (clusterSize / 8)));
  if (l1Entries < l1Needed) throw invalidImage(file, "L1 table size", "is too small for the disk size");
  checkTable(file, "L1 table offset", l1Offset, l1Entries * 8, clusterSize, fileSize);

  const refcountTableOffset = u64(48, "refcount table offset");
  const refcountTableClusters = view.getUint32(56);
  if (refcountTableClusters === 0) throw invalidImage(file, "refcount table size", "is zero");
  if (refcountTableClusters * clusterSize > REFCOUNT_TABLE_MAX_BYTES) {
    throw invalidImage(file, "refcount table size", "is out of range");
  }
  const refcountTableBytes = refcountTableClusters * clusterSize;
  checkTable(file, "refcount table offset", refcountTableOffset, refcountTableBytes, clusterSize, fileSize);

  const three = version === 3;
  const incompatible = three ? view.getBigUint64(72) : 0n;
  checkFeatures(file, incompatible);
  const refcountOrder = three ? view.getUint32(96) : 4;
  if (refcountOrder > 6) throw invalidImage(file, "refcount order", `is ${refcountOrder}, not 0 to 6`);
  const headerLength = three ? view.getUint32(100) : HEADER_V2_LENGTH;
  if (
    headerLength < (three ? HEADER_V3_LENGTH : HEADER_V2_LENGTH) ||
    headerLength % 8 !== 0 ||
    headerLength > clusterSize
  ) {
    throw invalidImage(file, "header length", `is ${headerLength}`);
  }
  const compressionType = three && headerLength > 104 && bytes.length > 104 ? view.getUint8(104) : 0;
  const declared = (incompatible & INCOMPATIBLE.compressionType) !== 0n;
  if (compressionType > 1 || declared !== (compressionType !== 0)) {
    throw invalidImage(file, "compression type", `is ${compressionType}`);
  }

  const nameOffset = u64(8, "backing file offset");
  const extensionEnd = Math.min(nameOffset || clusterSize, clusterSize, bytes.length);
  const extensions = parseExtensions(file, view, headerLength, extensionEnd);
  return {
    version,
    clusterBits,
    clusterSize,
    sizeBytes,
    l1Entries,
    l1Offset,
    refcountTableOffset,
    refcountTableClusters,
    refcountOrder,
    snapshotCount: view.getUint32(60),
    incompatible,
    compatible: three ? view.getBigUint64(80) : 0n,
    autoclear: three ? view.getBigUint64(88) : 0n,
    headerLength,
    compression: compressionType === 1 ? "zstd" : "deflate",
    extensions,
    encryption: method === 0 ? undefined : parseEncryption(file, extensions, clusterSize, fileSize),
    backing: parseBacking(file, view, nameOffset, clusterSize, extensions),
  };
}

function checkTable(
  file: string,
  field: string,
  offset: number,
  length: number,
  clusterSize: number,
  fileSize: number,
) {
  if (length === 0) return;
  if (offset === 0 || offset % clusterSize !== 0) throw invalidImage(file, field, "is not the start of a cluster");
  if (offset + length > fileSize)
    throw invalidImage(file, field, "points behind the end of the file; it may be truncated");
}

function checkFeatures(file: string, incompatible: bigint): void {
  const convert = "Convert it with `qemu-img convert -O qcow2`.";
  if (incompatible & INCOMPATIBLE.externalData) {
    throw unsupportedImage(file, "external data file", "its data is in another file", convert);
  }
  if (incompatible & INCOMPATIBLE.extendedL2) {
    throw unsupportedImage(file, "extended L2 entries", "it uses subclusters", convert);
  }
  if (incompatible >> 5n) {
    throw unsupportedImage(
      file,
      "incompatible features",
      `it needs unknown features (0x${incompatible.toString(16)})`,
      convert,
    );
  }
}

function parseExtensions(file: string, view: DataView, start: number, end: number): HeaderExtension[] {
  const found: HeaderExtension[] = [];
  for (let at = start; at + 8 <= end; ) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === EXTENSION.end) break;
    if (length > end - at - 8) throw invalidImage(file, "header extension", "is longer than the header");
    found.push({ type, data: new Uint8Array(view.buffer, view.byteOffset + at + 8, length).slice() });
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return found;
}

function parseEncryption(
  file: string,
  extensions: readonly HeaderExtension[],
  clusterSize: number,
  fileSize: number,
): { offset: number; length: number } {
  const data = extensions.find(({ type }) => type === EXTENSION.encryption)?.data;
  if (data?.length !== 16) throw invalidImage(file, "encryption", "is not described by the header");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [offset, length] = [Number(view.getBigUint64(0)), Number(view.getBigUint64(8))];
  checkTable(file, "encryption header", offset, length, clusterSize, fileSize);
  return { offset, length };
}

function parseBacking(
  file: string,
  view: DataView,
  nameOffset: number,
  clusterSize: number,
  extensions: readonly HeaderExtension[],
): Qcow2Header["backing"] {
  if (nameOffset === 0) return undefined;
  const length = view.getUint32(16);
  if (length > BACKING_NAME_MAX) throw invalidImage(file, "backing file name", "is too long");
  if (nameOffset + length > Math.min(clusterSize, view.byteLength)) {
    throw invalidImage(file, "backing file offset", "points behind the header");
  }
  if (length === 0) return undefined;
  const text = (bytes: Uint8Array, field: string): string => {
    try {
      const decoded = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      if (!decoded.includes("\0")) return decoded;
    } catch {
      // falls through: not UTF-8
    }
    throw invalidImage(file, field, "is not text");
  };
  const name = text(new Uint8Array(view.buffer, view.byteOffset + nameOffset, length), "backing file name");
  const format = extensions.find((extension) => extension.type === EXTENSION.backingFormat);
  return { name, nameOffset, format: format && text(format.data, "backing file format") };
}
