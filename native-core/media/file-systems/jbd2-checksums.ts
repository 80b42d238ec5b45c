// The checksums of a journal (Linux, Documentation/filesystems/ext4, "Journal (jbd2)"): none, one over a whole transaction in its commit
// block (version 1), or one in every block of the log and for every block it holds (versions 2 and 3, which differ in their tags only).

/** What says where a checksum is left out of itself, as zeroes. */
const COMMIT_SUM = { offset: 16, length: 4 } as const;
const COMMIT_HEADER_BYTES = 60;
const COMMIT_SUM_CRC32 = { type: 1, size: 4 } as const;
export const TAIL_BYTES = 4;
const SUPERBLOCK_SUM = { offset: 0xfc, length: 4 } as const;

export type ChecksumVersion = 0 | 1 | 2 | 3;

export class JournalChecksums {
  readonly version: ChecksumVersion;
  readonly #seed: number;
  /** Of the transaction being read: version 1. */
  #running = ~0;

  constructor(version: ChecksumVersion, uuid: Uint8Array) {
    this.version = version;
    this.#seed = crc32c(~0, uuid);
  }

  /** Whether each block of the log has a checksum of its own. */
  get perBlock(): boolean {
    return this.version >= 2;
  }

  /** Of a descriptor or revoke block: in its last four bytes. */
  isTailSound(block: DataView): boolean {
    if (!this.perBlock) return true;
    const place = { offset: block.byteLength - TAIL_BYTES, length: TAIL_BYTES };
    return block.getInt32(place.offset, false) === crc32c(this.#seed, without(block, place));
  }

  /** Version 1: a descriptor block or one that it describes, in the order of the log. */
  include(block: DataView): void {
    this.#running = crc32MostSignificantFirst(this.#running, bytesOf(block));
  }

  /** Begins the next transaction, too. */
  isCommitSound(commit: DataView): boolean {
    const running = this.#running;
    this.#running = ~0;
    const found = commit.getInt32(COMMIT_SUM.offset, false);
    if (this.perBlock) {
      if (found === crc32c(this.#seed, without(commit, COMMIT_SUM))) return true;
      // A disk may write sectors of a block one by one, and the first one says it all: Linux takes the others for zeroes then.
      const header = new Uint8Array(commit.byteLength);
      header.set(without(commit, COMMIT_SUM).subarray(0, COMMIT_HEADER_BYTES));
      return found === crc32c(this.#seed, header);
    }
    if (this.version === 0) return true;
    const [type, size] = [commit.getUint8(12), commit.getUint8(13)];
    if (type === 0 && size === 0 && found === 0) return true;
    return type === COMMIT_SUM_CRC32.type && size === COMMIT_SUM_CRC32.size && found === running;
  }

  /** `block` as it is in the log, `checksum` as its tag has it: 16 bits of it in version 2. */
  isBlockSound(block: DataView, sequence: number, checksum: number): boolean {
    if (!this.perBlock) return true;
    const prefix = new Uint8Array(4);
    new DataView(prefix.buffer).setUint32(0, sequence, false);
    const sum = crc32c(crc32c(this.#seed, prefix), bytesOf(block));
    return this.version === 3 ? sum === (checksum | 0) : (sum & 0xffff) === checksum;
  }
}

/** Of the journal's own superblock, versions 2 and 3. */
export function isSuperblockSound(superblock: DataView): boolean {
  return superblock.getInt32(SUPERBLOCK_SUM.offset, false) === crc32c(~0, without(superblock, SUPERBLOCK_SUM));
}

const bytesOf = (view: DataView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

function without(block: DataView, { offset, length }: { readonly offset: number; readonly length: number }) {
  return bytesOf(block)
    .slice()
    .fill(0, offset, offset + length);
}

const CASTAGNOLI_REFLECTED = 0x82f63b78;
const CRC32_POLYNOMIAL = 0x04c11db7;

const castagnoli = Int32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ CASTAGNOLI_REFLECTED : sum >>> 1;
  return sum;
});

const mostSignificantFirst = Int32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 24;
  for (let bit = 0; bit < 8; bit++) sum = sum < 0 ? (sum << 1) ^ CRC32_POLYNOMIAL : sum << 1;
  return sum;
});

/** CRC-32C without a last inversion, as the kernel's; a signed word. */
function crc32c(seed: number, bytes: Uint8Array): number {
  let sum = seed;
  for (const byte of bytes) sum = (sum >>> 8) ^ (castagnoli[(sum ^ byte) & 0xff] ?? 0);
  return sum | 0;
}

/** The kernel's crc32_be; a signed word. */
function crc32MostSignificantFirst(seed: number, bytes: Uint8Array): number {
  let sum = seed;
  for (const byte of bytes) sum = (sum << 8) ^ (mostSignificantFirst[((sum >>> 24) ^ byte) & 0xff] ?? 0);
  return sum | 0;
}
