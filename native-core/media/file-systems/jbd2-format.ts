// The records of a journal (Linux, Documentation/filesystems/ext4, "Journal (jbd2)"). All of it is big-endian, unlike the file system around it.
//
//   superblock | descriptor, blocks..., [revoke], commit | descriptor, blocks..., commit | ...      from `first` to `end`, and round again
import { damagedFileSystem } from "./file-system.ts";
import { type ChecksumVersion, isSuperblockSound, JournalChecksums, TAIL_BYTES } from "./jbd2-checksums.ts";

const JOURNAL_MAGIC = 0xc03b3998;
const HEADER_BYTES = 12;
const SUPERBLOCK_BYTES = 1024;
const UUID_BYTES = 16;
const KIND = { descriptor: 1, commit: 2, superblock: 3, superblockWithFeatures: 4, revoke: 5 } as const;
const COMPATIBLE_CHECKSUM = 0x1;
/** `asynchronous`: commit blocks are written with the rest of their transaction, which checksums then tell. */
const INCOMPATIBLE = {
  revoke: 0x1,
  wide: 0x2,
  asynchronous: 0x4,
  checksum2: 0x8,
  checksum3: 0x10,
  fastCommit: 0x20,
} as const;
const READ_FEATURES = Object.values(INCOMPATIBLE).reduce((all, feature) => all | feature, 0);
/** What else a tag may say, that its block was deleted, is never written, and not looked at by Linux. */
const TAG = { escaped: 0x1, sameUuid: 0x2, last: 0x8 } as const;
const CHECKSUM_CRC32C = 4;
const FAST_COMMIT_BLOCKS = 256;

export interface JournalFormat {
  /** Where the log begins and ends, in blocks of the journal, and where the oldest transaction in use begins; 0 when there is none. */
  readonly first: number;
  readonly end: number;
  readonly start: number;
  /** Of that transaction. */
  readonly sequence: number;
  /** Whether block numbers have 64 bits. */
  readonly wide: boolean;
  readonly checksums: JournalChecksums;
}

/** `blocks` is how many the journal's file has. @throws AppError where Linux would not mount either */
export function journalFormat(view: DataView, blockSize: number, blocks: number): JournalFormat {
  const u32 = (offset: number) => view.getUint32(offset, false);
  const kind = u32(4);
  if (u32(0) !== JOURNAL_MAGIC || (kind !== KIND.superblock && kind !== KIND.superblockWithFeatures)) {
    throw damagedJournal("it has no superblock");
  }
  const [compatible, features] = kind === KIND.superblock ? [0, 0] : [u32(0x24), u32(0x28)];
  if ((features & ~READ_FEATURES) !== 0) throw damagedJournal("it has features that are not read");
  const version = checksumVersion(compatible, features);
  if (version >= 2) {
    const whole = new DataView(view.buffer, view.byteOffset, SUPERBLOCK_BYTES);
    if (view.getUint8(0x50) !== CHECKSUM_CRC32C || !isSuperblockSound(whole)) throw damagedJournal("checksum");
  }
  // Fast commits, a log of their own at the end, say what changed since the last transaction but not as blocks: they are left out.
  const fastCommits = features & INCOMPATIBLE.fastCommit ? u32(0x54) || FAST_COMMIT_BLOCKS : 0;
  const [length, first, start] = [u32(0x10), u32(0x14), u32(0x1c)];
  const end = length - fastCommits;
  if (u32(0x0c) !== blockSize || length > blocks || first === 0 || first >= end) throw damagedJournal("size");
  if (start !== 0 && (start < first || start >= end)) throw damagedJournal("start");
  const uuid = new Uint8Array(view.buffer, view.byteOffset + 0x30, UUID_BYTES);
  return {
    ...{ first, end, start, sequence: u32(0x18), wide: (features & INCOMPATIBLE.wide) !== 0 },
    checksums: new JournalChecksums(version, uuid),
  };
}

function checksumVersion(compatible: number, features: number): ChecksumVersion {
  const versions: ChecksumVersion[] = [];
  if (compatible & COMPATIBLE_CHECKSUM) versions.push(1);
  if (features & INCOMPATIBLE.checksum2) versions.push(2);
  if (features & INCOMPATIBLE.checksum3) versions.push(3);
  if (versions.length > 1) throw damagedJournal("it has checksums of two kinds");
  return versions[0] ?? 0;
}

/** What a block of the log is; undefined when it is not one of transaction `sequence`, so that the log ends before it. */
export function recordKind(block: DataView, sequence: number): "descriptor" | "commit" | "revoke" | undefined {
  if (block.getUint32(0, false) !== JOURNAL_MAGIC || block.getUint32(8, false) !== sequence) return undefined;
  const kind = block.getUint32(4, false);
  if (kind === KIND.descriptor) return "descriptor";
  if (kind === KIND.commit) return "commit";
  return kind === KIND.revoke ? "revoke" : undefined;
}

/** Of a block that follows the descriptor: where it belongs. */
export interface Tag {
  readonly block: number;
  /** Its first word is the journal's magic number, instead of which there is zero in the log. */
  readonly isEscaped: boolean;
  readonly checksum: number;
}

/** At least one, and as many as fit at most. */
export function tagsOf(descriptor: DataView, { wide, checksums }: JournalFormat): Tag[] {
  const { version } = checksums;
  const size = version === 3 ? 16 : 8 + (wide ? 4 : 0) + (version === 2 ? 2 : 0);
  const end = descriptor.byteLength - (checksums.perBlock ? TAIL_BYTES : 0);
  const tags: Tag[] = [];
  for (let at = HEADER_BYTES; at + size <= end; ) {
    const flags = descriptor.getUint16(at + 6, false);
    tags.push({
      block: descriptor.getUint32(at, false) + (wide ? descriptor.getUint32(at + 8, false) * 2 ** 32 : 0),
      isEscaped: (flags & TAG.escaped) !== 0,
      checksum: version === 3 ? descriptor.getUint32(at + 12, false) : descriptor.getUint16(at + 4, false),
    });
    if (flags & TAG.last) break;
    at += size + (flags & TAG.sameUuid ? 0 : UUID_BYTES);
  }
  return tags;
}

/** Blocks that earlier transactions have in the log, but that belong to something else since. @throws AppError */
export function revokedBy(record: DataView, { wide, checksums }: JournalFormat): number[] {
  const end = record.getUint32(HEADER_BYTES, false);
  if (end > record.byteLength - (checksums.perBlock ? TAIL_BYTES : 0)) throw damagedJournal("revoke record");
  const size = wide ? 8 : 4;
  const revoked: number[] = [];
  for (let at = HEADER_BYTES + 4; at + size <= end; at += size) {
    const word = record.getUint32(at, false);
    revoked.push(wide ? word * 2 ** 32 + record.getUint32(at + 4, false) : word);
  }
  return revoked;
}

export function restoreEscaped(block: Uint8Array): void {
  new DataView(block.buffer, block.byteOffset, block.byteLength).setUint32(0, JOURNAL_MAGIC, false);
}

export function damagedJournal(problem: string) {
  return damagedFileSystem(`its journal can't be replayed (${problem})`);
}
