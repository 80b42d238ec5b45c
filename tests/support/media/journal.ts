// ext4 images whose journal holds something: made by mke2fs and debugfs, which writes real transactions, and judged by e2fsck, which replays
// them.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { contentsOf, onlyFileSystem } from "./file-systems.ts";

const [MKFS, DEBUGFS, E2FSCK] = ["/usr/sbin/mkfs.ext4", "/usr/sbin/debugfs", "/usr/sbin/e2fsck"];
export const hasJournalTools = [MKFS, DEBUGFS, E2FSCK].every((tool) => existsSync(tool));

/** The block that can only be in a journal escaped begins with this. */
export const JOURNAL_MAGIC = Buffer.from("c03b3998", "hex");

/** Files of a test, by name. */
interface Folder {
  file(name: string): string;
}

export interface Transaction {
  /** What it has for blocks of `/data`, by their position there. */
  readonly blocks?: Readonly<Record<number, Buffer>>;
  readonly revoked?: readonly number[];
  /** Default: true. */
  readonly committed?: boolean;
}

/** An ext4 file system with one file `/data`, of which each block is filled with its own number, from one. */
export class JournalledImage {
  static readonly #made = new Map<string, JournalledImage>();
  static #serial = 0;
  readonly file: string;
  readonly blockSize: number;
  /** Blocks of the file system that `/data` and the journal have, in order. */
  readonly data: readonly number[];
  readonly journal: readonly number[];
  readonly #folder: Folder;

  private constructor(
    folder: Folder,
    file: string,
    like: { blockSize: number; data: readonly number[]; journal: readonly number[] },
  ) {
    this.#folder = folder;
    this.file = file;
    this.blockSize = like.blockSize;
    this.data = like.data;
    this.journal = like.journal;
  }

  static make(folder: Folder, { blockSize = 1024, blocks = 16, options = [] as readonly string[] } = {}) {
    const key = JSON.stringify([folder.file(""), blockSize, blocks, options]);
    const made = JournalledImage.#made.get(key) ?? JournalledImage.#mkfs(folder, blockSize, blocks, options);
    JournalledImage.#made.set(key, made);
    return made.#copy();
  }

  static #mkfs(folder: Folder, blockSize: number, blocks: number, options: readonly string[]): JournalledImage {
    const file = folder.file(`journal-${++JournalledImage.#serial}.img`);
    const contents = folder.file(`data-${JournalledImage.#serial}`);
    writeFileSync(
      contents,
      Buffer.concat(Array.from({ length: blocks }, (_, index) => Buffer.alloc(blockSize, index + 1))),
    );
    execFileSync(MKFS, ["-q", "-F", "-b", String(blockSize), "-J", "size=4", ...options, file, "16M"]);
    execFileSync(DEBUGFS, ["-w", "-R", `write ${contents} data`, file], { stdio: "ignore" });
    const places = (name: string) => {
      const told = execFileSync(DEBUGFS, ["-R", `blocks ${name}`, file], {
        stdio: ["ignore", "pipe", "ignore"],
      }).toString();
      return told.trim().split(/\s+/).map(Number);
    };
    return new JournalledImage(folder, file, { blockSize, data: places("/data"), journal: places("<8>") });
  }

  #copy(): JournalledImage {
    const file = this.#folder.file(`journal-${++JournalledImage.#serial}.img`);
    copyFileSync(this.file, file);
    return new JournalledImage(this.#folder, file, this);
  }

  /** Appends transactions to a log that is empty; `checksums` 0 is none. */
  write(checksums: 0 | 2 | 3, transactions: readonly Transaction[]): this {
    const commands = [checksums === 0 ? "jo" : `jo -c -v ${checksums}`];
    for (const [index, { blocks = {}, revoked = [], committed = true }] of transactions.entries()) {
      const contents = this.#folder.file(`transaction-${index}`);
      writeFileSync(contents, Buffer.concat(Object.values(blocks)));
      const list = (positions: readonly (string | number)[]) =>
        positions.map((each) => this.data[Number(each)]).join(",");
      const end = committed ? "" : "-c ";
      // One command for both would write the commit block into the revoke record.
      if (revoked.length > 0) commands.push(`jw -r ${list(revoked)} ${end}${contents}`);
      if (Object.keys(blocks).length > 0) commands.push(`jw -b ${list(Object.keys(blocks))} ${end}${contents}`);
    }
    const script = this.#folder.file("commands");
    writeFileSync(script, [...commands, "jc", "quit", ""].join("\n"));
    execFileSync(DEBUGFS, ["-w", "-f", script, this.file], { stdio: "ignore" });
    return this;
  }

  bytes(): Buffer {
    return readFileSync(this.file);
  }

  /** Changes the journal, by its own block numbers. */
  change(work: (block: (index: number) => Buffer, image: Buffer) => void): this {
    const bytes = this.bytes();
    work((index) => {
      const at = (this.journal[index] ?? 0) * this.blockSize;
      return bytes.subarray(at, at + this.blockSize);
    }, bytes);
    writeFileSync(this.file, bytes);
    return this;
  }

  /** `/data` as our reader sees it. */
  async seen(): Promise<Buffer> {
    return contentsOf(await onlyFileSystem(this.bytes()), "/data");
  }

  /** As a system does that replays the journal. @throws when e2fsck finds something wrong with it */
  async replayed(): Promise<Buffer> {
    const copy = this.#copy();
    execFileSync(E2FSCK, ["-E", "journal_only", "-y", copy.file], { stdio: "ignore" });
    return contentsOf(await onlyFileSystem(copy.bytes()), "/data");
  }
}

/** Turns the log of a journal with superblock `block(0)` by so many blocks, so that it goes round its end. */
export function turnLog(block: (index: number) => Buffer, by: number): void {
  const superblock = block(0);
  const [end, first] = [superblock.readUInt32BE(0x10), superblock.readUInt32BE(0x14)];
  const log = Array.from({ length: end - first }, (_, index) => Buffer.from(block(first + index)));
  for (const [index, contents] of log.entries()) block(first + ((index + by) % log.length)).set(contents);
  superblock.writeUInt32BE(first + ((superblock.readUInt32BE(0x1c) - first + by) % log.length), 0x1c);
}

/** The kernel's crc32_be, made of zlib's by turning bits round. */
export function crc32MostSignificantFirst(bytes: Buffer): number {
  const turned = (value: number, bits: number): number =>
    bits === 0 ? 0 : turned(Math.floor(value / 2), bits - 1) + (value % 2) * 2 ** (bits - 1);
  return turned(~crc32(bytes.map((byte) => turned(byte, 8))) >>> 0, 32);
}
