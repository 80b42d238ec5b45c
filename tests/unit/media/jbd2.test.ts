// What only the journal of an ext4 file system holds: seen as after its replay, which e2fsck does to a copy, or refused as Linux would.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { isAppError } from "../../../native-core/common/errors.ts";
import { contentsOf, onlyFileSystem, pathsOf } from "../../support/media/file-systems.ts";
import {
  crc32MostSignificantFirst,
  hasJournalTools,
  JOURNAL_MAGIC,
  JournalledImage,
  type Transaction,
  turnLog,
} from "../../support/media/journal.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const folder = temporaryFolder("jbd2");
afterAll(() => folder.remove());

const BLOCK = 1024;
const filled = (text: string) => Buffer.alloc(BLOCK, text);
const escaped = Buffer.concat([JOURNAL_MAGIC, filled("magic")]).subarray(0, BLOCK);
const make = (options: { blockSize?: number; blocks?: number; options?: readonly string[] } = {}) =>
  JournalledImage.make(folder, options);

/** What blocks of `/data` begin with: as they were made, or what a transaction has. */
const begins = (data: Buffer, count = 4) =>
  Array.from({ length: count }, (_, index) => {
    const block = data.subarray(index * BLOCK, index * BLOCK + 8);
    return block.every((byte) => byte === index + 1) ? "as made" : block.toString("latin1").trim();
  });

async function expectReplayed(image: JournalledImage, expected: readonly string[]): Promise<void> {
  const seen = await image.seen();
  expect(begins(seen, expected.length)).toEqual(expected);
  expect(Buffer.compare(seen, await image.replayed())).toBe(0);
}

describe.skipIf(!hasJournalTools)("The journal of an ext4 file system", () => {
  describe.each([0, 2, 3] as const)("with checksums of version %i", (version) => {
    it("is seen as far as it is committed", async () => {
      const image = make().write(version, [
        { blocks: { 0: filled("first 0 "), 1: filled("first 1 ") } },
        { blocks: { 1: filled("later 1 ") } },
        { blocks: { 2: filled("never 2 ") }, committed: false },
      ]);
      await expectReplayed(image, ["first 0", "later 1", "as made", "as made"]);
    });

    it("does not say what revoked blocks are, but for later transactions", async () => {
      const image = make().write(version, [
        { blocks: { 0: filled("first 0 "), 1: filled("first 1 "), 2: filled("first 2 ") } },
        { revoked: [0, 1], blocks: { 1: filled("later 1 ") } },
      ]);
      await expectReplayed(image, ["as made", "later 1", "first 2", "as made"]);
    });

    it("has blocks that begin like its own", async () => {
      const image = make().write(version, [{ blocks: { 0: escaped, 1: filled("first 1 ") } }]);
      expect(Buffer.compare((await image.seen()).subarray(0, BLOCK), escaped)).toBe(0);
      expect(Buffer.compare(await image.seen(), await image.replayed())).toBe(0);
    });
  });

  it.each([1, 2, 3, 4, 5, 6, 7])("goes round the end of the log, %i blocks before", async (before) => {
    const image = make().write(0, [
      { blocks: { 0: filled("first 0 "), 1: filled("first 1 ") } },
      { revoked: [0], blocks: { 2: filled("later 2 ") } },
    ]);
    image.change((block) => turnLog(block, -before + block(0).readUInt32BE(0x10) - block(0).readUInt32BE(0x14)));
    await expectReplayed(image, ["as made", "first 1", "later 2", "as made"]);
  });

  it("is found by a map of blocks, too", async () => {
    const image = make({ options: ["-t", "ext3"] }).write(0, [{ blocks: { 0: filled("first 0 ") } }]);
    await expectReplayed(image, ["first 0", "as made"]);
  });

  it("may have the superblock and the root folder", async () => {
    const image = make();
    const renamed = image.bytes().subarray(1024, 2048);
    renamed.write("journalled", 120, "latin1");
    // The file's second block stands in: the tag is changed to the superblock's number, which no checksum keeps.
    image.write(0, [{ blocks: { 1: renamed } }]);
    image.change((block) => block(1).writeUInt32BE(1, 12));
    const fileSystem = await onlyFileSystem(image.bytes());
    expect(fileSystem.label).toBe("journalled");
    expect(await pathsOf(fileSystem)).toEqual(["/data file 16384", "/lost+found folder 0"]);
  });

  it("is left alone after a clean unmount", async () => {
    const image = make().write(0, [{ blocks: { 0: filled("first 0 ") } }]);
    image.change((_, bytes) => bytes.writeUInt32LE(bytes.readUInt32LE(1024 + 96) & ~4, 1024 + 96));
    expect(begins(await image.seen())).toEqual(["as made", "as made", "as made", "as made"]);
  });

  it("leaves fast commits out, which are behind the log", async () => {
    const image = make({ options: ["-O", "fast_commit"] }).write(0, [{ blocks: { 0: filled("first 0 ") } }]);
    await expectReplayed(image, ["first 0", "as made"]);
  });
});

describe.skipIf(!hasJournalTools)("A journal's checksums", () => {
  const three = (version: 0 | 2 | 3) =>
    make().write(version, [
      { blocks: { 0: filled("first 0 ") } },
      { blocks: { 1: filled("later 1 ") } },
      { blocks: { 2: filled("last 2  ") } },
    ]);
  // Blocks of the log: 1 descriptor, 2 block, 3 commit, 4 descriptor, 5 block, 6 commit.
  const harm = (image: JournalledImage, index: number, offset: number) =>
    image.change((block) => {
      block(index)[offset] = 0x5a;
    });

  it.each([
    ["a descriptor", 4, 900],
    ["a commit block", 6, 50],
  ])("end the log before the transaction with a broken one of %s", async (_, index, offset) => {
    for (const version of [2, 3] as const) {
      expect(begins(await harm(three(version), index, offset).seen())).toEqual([
        ...["first 0", "as made", "as made", "as made"],
      ]);
    }
    // Without checksums the same harm goes unnoticed.
    expect(begins(await harm(three(0), index, offset).seen())).toEqual(["first 0", "later 1", "last 2", "as made"]);
  });

  it("of a block are checked when it is read", async () => {
    for (const version of [2, 3] as const) {
      await expect(harm(three(version), 5, 900).seen()).rejects.toMatchObject({
        code: "INVALID_FILE",
        message: expect.stringMatching(/journal has a wrong checksum/),
      });
    }
  });

  it("of a commit block count when only its first sector was written", async () => {
    const image = three(3).change((block) => block(6).fill(0x11, 512));
    expect(begins(await image.seen())).toEqual(["first 0", "later 1", "last 2", "as made"]);
  });

  it("over whole transactions (version 1) end the log, too", async () => {
    const image = three(0).change((block) => {
      block(0).writeUInt32BE(1, 0x24);
      for (const first of [1, 4, 7]) {
        const commit = block(first + 2);
        commit.set([1, 4], 12);
        commit.writeUInt32BE(crc32MostSignificantFirst(Buffer.concat([block(first), block(first + 1)])), 16);
      }
    });
    await expectReplayed(image, ["first 0", "later 1", "last 2", "as made"]);
    expect(begins(await harm(image, 5, 900).seen())).toEqual(["first 0", "as made", "as made", "as made"]);
  });
});

describe.skipIf(!hasJournalTools)("Any log", () => {
  it("is seen as e2fsck replays it", async () => {
    const position = fc.nat(7);
    const contents = fc.oneof(
      fc.constant(escaped),
      fc.nat(999).map((number) => filled(`number ${number} `)),
    );
    const transaction: fc.Arbitrary<Transaction> = fc.record({
      blocks: fc.dictionary(position.map(String), contents, { minKeys: 1, maxKeys: 6 }),
      revoked: fc.uniqueArray(position, { maxLength: 2 }),
      committed: fc.integer({ min: 0, max: 9 }).map((number) => number > 0),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0 as const, 2 as const, 3 as const),
        fc.array(transaction, { minLength: 1, maxLength: 12 }),
        async (version, transactions) => {
          const image = make().write(version, transactions);
          expect(Buffer.compare(await image.seen(), await image.replayed())).toBe(0);
        },
      ),
      { numRuns: 12 },
    );
  }, 60_000);
});

describe.skipIf(!hasJournalTools)("A hostile journal", () => {
  const some = (version: 0 | 2 | 3 = 0) =>
    make().write(version, [
      { blocks: { 0: filled("first 0 "), 1: filled("first 1 ") } },
      { revoked: [1], blocks: { 2: filled("later 2 ") } },
    ]);

  it.each([
    ["no superblock", (block: Buffer) => block.fill(0)],
    ["features that are not read", (block: Buffer) => block.writeUInt32BE(0x8000, 0x28)],
    ["checksums of two kinds", (block: Buffer) => block.writeUInt32BE(0x18, 0x28)],
    ["another block size", (block: Buffer) => block.writeUInt32BE(4096, 0x0c)],
    ["more blocks than its file", (block: Buffer) => block.writeUInt32BE(0xffffffff, 0x10)],
    ["a log that begins in the superblock", (block: Buffer) => block.writeUInt32BE(0, 0x14)],
    ["a log that begins behind its end", (block: Buffer) => block.writeUInt32BE(0x7fffffff, 0x14)],
    ["a start outside of the log", (block: Buffer) => block.writeUInt32BE(0x7fffffff, 0x1c)],
    ["only fast commits", (block: Buffer) => block.writeUInt32BE(0x20, 0x28) && block.writeUInt32BE(4095, 0x54)],
  ])("with %s is refused", async (_, change) => {
    const image = some().change((block) => void change(block(0)));
    await expect(image.seen()).rejects.toMatchObject({
      code: "INVALID_FILE",
      message: expect.stringMatching(/journal/),
    });
  });

  it("with a superblock of a wrong checksum is refused", async () => {
    const image = some(3).change((block) => block(0).writeUInt32BE(7, 0x40));
    await expect(image.seen()).rejects.toMatchObject({ message: expect.stringMatching(/journal.*checksum/) });
  });

  it.each([
    ["on another disk", 0, /journal is on another disk/],
    ["that is a folder", 2, /journal is no file/],
    ["in no inode", 0x7fffffff, /inode 2147483647 does not exist/],
    ["in a file without contents", 9, /journal/],
  ])("%s is refused", async (_, inode, message) => {
    const image = some().change((_block, bytes) => bytes.writeUInt32LE(inode, 1024 + 224));
    await expect(image.seen()).rejects.toMatchObject({
      code: "INVALID_FILE",
      message: expect.stringMatching(message),
    });
  });

  it("that revokes more than a block holds is refused", async () => {
    const image = some().change((block) => block(5).writeUInt32BE(0xffff, 12));
    await expect(image.seen()).rejects.toMatchObject({ message: expect.stringMatching(/journal.*revoke/) });
  });

  it("that goes on for ever ends", async () => {
    const image = some().change((block) => {
      const descriptor = Buffer.from(block(1));
      for (let index = 1; index < block(0).readUInt32BE(0x10); index++) block(index).set(descriptor);
    });
    expect(begins(await image.seen())).toEqual(["as made", "as made", "as made", "as made"]);
  });

  it("with any harm is read or refused, and nothing else", async () => {
    const originals = ([0, 2, 3] as const).map((version) => some(version));
    const offset = fc.nat(8 * BLOCK - 1);
    const harm = fc.array(fc.tuple(offset, fc.nat(255)), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...originals), harm, async (original, bytes) => {
        const image = original.bytes();
        for (const [at, value] of bytes) {
          image[(original.journal[Math.floor(at / BLOCK)] ?? 0) * BLOCK + (at % BLOCK)] = value;
        }
        try {
          const fileSystem = await onlyFileSystem(image);
          await pathsOf(fileSystem);
          expect(await contentsOf(fileSystem, "/data")).toHaveLength(16 * BLOCK);
        } catch (error) {
          if (!isAppError(error)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
