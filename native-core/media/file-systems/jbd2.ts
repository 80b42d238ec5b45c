// What a file system of the ext family is once its journal has been replayed, without writing anything: blocks that committed transactions
// hold are read from the journal. A running guest's `sync` puts changes there, and into their places only as far as no later transaction
// has begun to change the same block. So without this, files that the guest knows to be safe look old or are missing.
//
// A transaction counts when its commit block is there and everything of it but the blocks themselves has the checksum it should have. The
// first one that does not count ends the log: what comes behind it is left of an earlier round. Blocks are checked when they are read.
import { type BlockSource, CachedSource, damagedFileSystem } from "./file-system.ts";
import {
  damagedJournal,
  type JournalFormat,
  journalFormat,
  recordKind,
  restoreEscaped,
  revokedBy,
  tagsOf,
} from "./jbd2-format.ts";

/** Blocks of the journal's file that lie one behind the other. */
export interface JournalRun {
  /** Within the journal. */
  readonly first: number;
  readonly blocks: number;
  /** Of the file system; undefined for a hole. */
  readonly start: number | undefined;
}

export interface JournalPlace {
  readonly blockSize: number;
  /** In the order of the journal. */
  readonly runs: readonly JournalRun[];
}

/** All of a journal that is in use; more is nothing that a kernel leaves behind. */
const LOG_MAX_BYTES = 2 ** 32;
const ENTRIES_MAX = 2 ** 21;

/** A block of the file system as a transaction has it. */
interface LoggedBlock {
  /** Where it is, in blocks of the file system. */
  readonly at: number;
  readonly isEscaped: boolean;
  readonly checksum: number;
  /** Its transaction, as the checksum has it and counted from the oldest one. */
  readonly sequence: number;
  readonly transaction: number;
}

/** `source` as if its journal had been replayed. @throws AppError INVALID_FILE for a journal with which Linux would not mount */
export async function withJournal(source: BlockSource, place: JournalPlace): Promise<BlockSource> {
  const log = new Log(source, place);
  const format = journalFormat(await log.viewOf(log.placeOf(0)), place.blockSize, log.blocks);
  const blocks = format.start === 0 ? new Map<number, LoggedBlock>() : await committedBlocks(log, format);
  return blocks.size === 0 ? source : new ReplayedSource(source, log, format, blocks);
}

/** The journal by its own block numbers. */
class Log {
  readonly blockSize: number;
  readonly blocks: number;
  readonly #source: CachedSource;
  readonly #runs: readonly JournalRun[];

  constructor(source: BlockSource, { blockSize, runs }: JournalPlace) {
    this.#source = new CachedSource(source);
    this.#runs = runs;
    this.blockSize = blockSize;
    const last = runs.at(-1);
    this.blocks = last ? last.first + last.blocks : 0;
  }

  /** By the file system's number, as all `at`. */
  async viewOf(at: number): Promise<DataView> {
    return this.#source.view(at * this.blockSize, this.blockSize);
  }

  /** @throws AppError where there is none */
  placeOf(block: number): number {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const run = this.#runs[middle];
      if (run && run.first + run.blocks <= block) low = middle + 1;
      else high = middle;
    }
    const run = this.#runs[low];
    if (run?.start === undefined || block < run.first) throw damagedJournal("it has holes");
    return run.start + block - run.first;
  }
}

/** Goes through the log block by block, once round at most. */
class Walk {
  readonly #log: Log;
  readonly #format: JournalFormat;
  #at: number;
  #walked = 0;

  constructor(log: Log, format: JournalFormat) {
    this.#log = log;
    this.#format = format;
    this.#at = format.start;
  }

  get isOver(): boolean {
    return this.#walked >= this.#format.end - this.#format.first;
  }

  /** Where the next one is, in blocks of the file system. @throws AppError */
  next(): number {
    const place = this.#log.placeOf(this.#at);
    const { first, end } = this.#format;
    this.#at = this.#at + 1 === end ? first : this.#at + 1;
    this.#walked += 1;
    if (this.#walked * this.#log.blockSize > LOG_MAX_BYTES) throw damagedJournal("it is longer than is read");
    return place;
  }
}

async function committedBlocks(log: Log, format: JournalFormat): Promise<Map<number, LoggedBlock>> {
  const { checksums } = format;
  const walk = new Walk(log, format);
  const committed = new Map<number, LoggedBlock>();
  /** Since which transaction. */
  const revoked = new Map<number, number>();
  let [transaction, sequence] = [0, format.sequence];
  let blocks: [number, LoggedBlock][] = [];
  let revocations: number[] = [];
  while (!walk.isOver) {
    const record = await log.viewOf(walk.next());
    const kind = recordKind(record, sequence);
    if (kind === undefined) break;
    if (kind === "commit") {
      if (!checksums.isCommitSound(record)) break;
      for (const [block, logged] of blocks) committed.set(block, logged);
      for (const block of revocations) revoked.set(block, transaction);
      [blocks, revocations] = [[], []];
      transaction += 1;
      sequence = (sequence + 1) >>> 0;
      continue;
    }
    if (!checksums.isTailSound(record)) break;
    if (kind === "revoke") revocations.push(...revokedBy(record, format));
    else {
      if (checksums.version === 1) checksums.include(record);
      for (const { block, isEscaped, checksum } of tagsOf(record, format)) {
        const at = walk.next();
        if (checksums.version === 1) checksums.include(await log.viewOf(at));
        blocks.push([block, { at, isEscaped, checksum, sequence, transaction }]);
      }
    }
    const entries = committed.size + revoked.size + blocks.length + revocations.length;
    if (entries > ENTRIES_MAX) throw damagedJournal("it has more blocks than are read");
  }
  for (const [block, since] of revoked) {
    const logged = committed.get(block);
    if (logged && logged.transaction <= since) committed.delete(block);
  }
  return committed;
}

class ReplayedSource implements BlockSource {
  readonly sizeBytes: number;
  readonly #source: BlockSource;
  readonly #log: Log;
  readonly #format: JournalFormat;
  readonly #blocks: ReadonlyMap<number, LoggedBlock>;

  constructor(source: BlockSource, log: Log, format: JournalFormat, blocks: ReadonlyMap<number, LoggedBlock>) {
    this.sizeBytes = source.sizeBytes;
    this.#source = source;
    this.#log = log;
    this.#format = format;
    this.#blocks = blocks;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    await this.#source.read(offset, target);
    const size = this.#log.blockSize;
    const end = offset + target.length;
    for (let block = Math.floor(offset / size); block * size < end; block++) {
      const logged = this.#blocks.get(block);
      if (!logged) continue;
      const from = Math.max(offset, block * size);
      const bytes = await this.#contents(logged);
      target.set(bytes.subarray(from - block * size, Math.min(end, (block + 1) * size) - block * size), from - offset);
    }
  }

  async #contents({ at, isEscaped, checksum, sequence }: LoggedBlock): Promise<Uint8Array> {
    const view = await this.#log.viewOf(at);
    if (!this.#format.checksums.isBlockSound(view, sequence, checksum)) {
      throw damagedFileSystem("a block in its journal has a wrong checksum");
    }
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    if (isEscaped) restoreEscaped(bytes);
    return bytes;
  }
}
