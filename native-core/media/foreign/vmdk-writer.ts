// Writes a disk as VMware's stream-optimized VMDK (Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents"), the form that
// OVF packages carry: compressed grains one after another, each marked with its place, so that it can be written and read as a stream.
//
//   header, descriptor | grain ... grain, grain table | ... | grain directory | footer | end        numbers count sectors
import { isAllZero } from "../../common/zero.ts";
import { VMDK_DESCRIPTOR, VMDK_MAGIC } from "./vmdk.ts";

const SECTOR = 512;
const GRAIN_SECTORS = 128;
const GRAIN_BYTES = GRAIN_SECTORS * SECTOR;
const TABLE_ENTRIES = 512;
const TABLE_BYTES = TABLE_ENTRIES * 4;
const DESCRIPTOR_SECTOR = 1;
const OVERHEAD_SECTORS = 128;
const VERSION = 3;
/** Line ends intact, compressed, with markers. */
const FLAGS = 1 | (1 << 16) | (1 << 17);
const MARKER = { END: 0, GRAIN_TABLE: 1, GRAIN_DIRECTORY: 2, FOOTER: 3 } as const;
const IN_FOOTER = 0xffffffffffffffffn;
const DEFLATE = 1;
const GRAIN_HEADER_BYTES = 12;
/** Grains that are compressed at the same time. */
const AT_ONCE = 16;
const GEOMETRY = { heads: 16, sectors: 63, cylindersMax: 16383 } as const;

interface SourceDisk {
  readonly sizeBytes: number;
  read(offset: number, target: Uint8Array): Promise<void>;
  /** Zeroes that need not be read are of kind `zero`. */
  extentAt(offset: number, length: number): Promise<{ readonly kind: string; readonly length: number }>;
}

export interface StreamVmdkOptions {
  /** Name of the file, for the descriptor. */
  readonly name: string;
  /** To zlib format (RFC 1950). */
  deflate(bytes: Uint8Array): Promise<Uint8Array>;
  write(bytes: Uint8Array): Promise<void>;
  /** Called between grains with what is done, 0..1; throws to stop. */
  onProgress(share: number): void;
}

/** Writes the whole disk in the order of the file. */
export async function writeStreamVmdk(disk: SourceDisk, options: StreamVmdkOptions): Promise<void> {
  const stream = new SectorStream(options.write);
  const capacity = Math.ceil(disk.sizeBytes / GRAIN_BYTES) * GRAIN_SECTORS;
  await stream.put(header(capacity, IN_FOOTER));
  await stream.put(padded(new TextEncoder().encode(descriptor(options.name, capacity))));
  await stream.put(new Uint8Array((OVERHEAD_SECTORS - stream.sector) * SECTOR));
  const directory = new Uint32Array(Math.ceil(capacity / GRAIN_SECTORS / TABLE_ENTRIES));
  for (const index of directory.keys()) {
    const table = await writeGrains(disk, index * TABLE_ENTRIES, stream, options);
    if (table === null) continue;
    await stream.put(marker(TABLE_BYTES / SECTOR, MARKER.GRAIN_TABLE));
    directory[index] = stream.sector;
    await stream.put(littleEndian(table));
  }
  const directoryBytes = padded(littleEndian(directory));
  await stream.put(marker(directoryBytes.length / SECTOR, MARKER.GRAIN_DIRECTORY));
  const directoryAt = stream.sector;
  await stream.put(directoryBytes);
  await stream.put(marker(1, MARKER.FOOTER));
  await stream.put(header(capacity, BigInt(directoryAt)));
  await stream.put(marker(0, MARKER.END));
}

/** The grains of one table from grain `first` on; yields where they are, null when all are zero. */
async function writeGrains(
  disk: SourceDisk,
  first: number,
  stream: SectorStream,
  { deflate, onProgress }: StreamVmdkOptions,
): Promise<Uint32Array | null> {
  const table = new Uint32Array(TABLE_ENTRIES);
  const grains = Math.min(TABLE_ENTRIES, Math.ceil(disk.sizeBytes / GRAIN_BYTES) - first);
  for (let start = 0; start < grains; start += AT_ONCE) {
    onProgress(((first + start) * GRAIN_BYTES) / disk.sizeBytes);
    const indices = Array.from({ length: Math.min(AT_ONCE, grains - start) }, (_, index) => start + index);
    const compressed = await Promise.all(
      indices.map(async (index) => {
        const bytes = await readGrain(disk, first + index);
        return bytes && deflate(bytes);
      }),
    );
    for (const [at, data] of compressed.entries()) {
      if (!data) continue;
      table[start + at] = stream.sector;
      await stream.put(grain((first + start + at) * GRAIN_SECTORS, data));
    }
  }
  return table.some((sector) => sector !== 0) ? table : null;
}

/** Undefined: zeroes. What lies behind the end of the disk is zero. */
async function readGrain(disk: SourceDisk, grain: number): Promise<Uint8Array | undefined> {
  const offset = grain * GRAIN_BYTES;
  const length = Math.min(GRAIN_BYTES, disk.sizeBytes - offset);
  const extent = await disk.extentAt(offset, length);
  if (extent.kind === "zero" && extent.length >= length) return undefined;
  const bytes = new Uint8Array(GRAIN_BYTES);
  await disk.read(offset, bytes.subarray(0, length));
  return isAllZero(bytes) ? undefined : bytes;
}

class SectorStream {
  sector = 0;
  readonly #write: (bytes: Uint8Array) => Promise<void>;

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** Whole sectors. */
  async put(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes);
    this.sector += bytes.length / SECTOR;
  }
}

function header(capacity: number, directorySector: bigint): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(VMDK_MAGIC));
  view.setUint32(4, VERSION, true);
  view.setUint32(8, FLAGS, true);
  view.setBigUint64(12, BigInt(capacity), true);
  view.setBigUint64(20, BigInt(GRAIN_SECTORS), true);
  view.setBigUint64(28, BigInt(DESCRIPTOR_SECTOR), true);
  view.setBigUint64(36, BigInt(OVERHEAD_SECTORS - DESCRIPTOR_SECTOR), true);
  view.setUint32(44, TABLE_ENTRIES, true);
  view.setBigUint64(56, directorySector, true);
  view.setBigUint64(64, BigInt(OVERHEAD_SECTORS), true);
  // Shows when a transfer in text mode broke the file.
  bytes.set([0x0a, 0x20, 0x0d, 0x0a], 73);
  view.setUint16(77, DEFLATE, true);
  return bytes;
}

function descriptor(name: string, capacity: number): string {
  const { heads, sectors, cylindersMax } = GEOMETRY;
  const cylinders = Math.min(cylindersMax, Math.floor(capacity / (heads * sectors)));
  return `${VMDK_DESCRIPTOR}
version=1
CID=fffffffe
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW ${capacity} SPARSE "${name}"

# The Disk Data Base
ddb.virtualHWVersion = "4"
ddb.adapterType = "ide"
ddb.geometry.cylinders = "${cylinders}"
ddb.geometry.heads = "${heads}"
ddb.geometry.sectors = "${sectors}"
`;
}

/** {sectors:u64 0:u32 type:u32} in a sector of its own: what follows is no grain. */
function marker(sectors: number, type: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sectors), true);
  view.setUint32(12, type, true);
  return bytes;
}

/** {place on the disk:u64 length:u32}, then the data. */
function grain(sector: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((GRAIN_HEADER_BYTES + data.length) / SECTOR) * SECTOR);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sector), true);
  view.setUint32(8, data.length, true);
  bytes.set(data, GRAIN_HEADER_BYTES);
  return bytes;
}

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / SECTOR) * SECTOR);
  whole.set(bytes);
  return whole;
}

function littleEndian(numbers: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of numbers.entries()) view.setUint32(index * 4, value, true);
  return bytes;
}
