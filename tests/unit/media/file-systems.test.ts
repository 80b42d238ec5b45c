// Guest file systems, read from outside: what mkfs and debugfs made, small ones made by hand, and damaged ones.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { isAppError } from "../../../native-core/common/errors.ts";
import { compareFileSystems, fileSystemsOf } from "../../../native-core/media/file-systems/open.ts";
import { partitionsOf } from "../../../native-core/media/file-systems/partitions.ts";
import { contentsOf, onlyFileSystem, pathsOf, sourceOf } from "../../support/media/file-systems.ts";
import { JournalledImage } from "../../support/media/journal.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const folder = temporaryFolder("file-systems");
afterAll(() => folder.remove());

const MKFS = "/usr/sbin/mkfs.ext4";
const DEBUGFS = "/usr/sbin/debugfs";
const hasTools = existsSync(MKFS) && existsSync(DEBUGFS);
const MIB = 2 ** 20;

let serial = 0;

/** An image with a few hundred files, links, an empty and a sparse one. */
function makeExt4(...options: string[]): { image: string; tree: string } {
  const tree = folder.file(`tree-${++serial}`);
  mkdirSync(join(tree, "etc", "deep", "er"), { recursive: true });
  mkdirSync(join(tree, "many"));
  writeFileSync(join(tree, "etc", "passwd"), "root:x:0:0\n");
  writeFileSync(join(tree, "etc", "deep", "er", "empty"), "");
  writeFileSync(join(tree, "big"), Buffer.alloc(3 * MIB + 17, "0123456789abcdef"));
  symlinkSync("etc/passwd", join(tree, "short"));
  symlinkSync(`/${"x".repeat(100)}`, join(tree, "long"));
  for (let index = 0; index < 300; index++) writeFileSync(join(tree, "many", `file-${index}`), String(index));
  const image = folder.file(`ext-${serial}.img`);
  execFileSync(MKFS, ["-q", "-F", ...options, "-d", tree, image, "24M"]);
  return { image, tree };
}

describe.skipIf(!hasTools).each([
  ["ext4", []],
  ["ext4 with small blocks and inodes", ["-b", "1024", "-I", "128"]],
  ["ext4 with 64-bit descriptors and inline data", ["-O", "64bit,inline_data"]],
  ["ext2", ["-t", "ext2"]],
  ["ext3", ["-t", "ext3"]],
] as const)("%s", (_, options) => {
  it("lists every file and reads it", async () => {
    const { image, tree } = makeExt4("-L", "tests", ...options);
    const fileSystem = await onlyFileSystem(readFileSync(image));
    expect([fileSystem.kind, fileSystem.label]).toEqual(["ext4", "tests"]);
    const paths = await pathsOf(fileSystem);
    expect(paths).toContain("/etc/passwd file 11");
    expect(paths).toContain("/etc/deep/er/empty file 0");
    expect(paths.filter((path) => path.startsWith("/many/"))).toHaveLength(300);
    for (const path of ["etc/passwd", "etc/deep/er/empty", "big", "many/file-299"]) {
      expect(Buffer.compare(await contentsOf(fileSystem, path), readFileSync(join(tree, path)))).toBe(0);
    }
    expect((await contentsOf(fileSystem, "/short")).toString()).toBe("etc/passwd");
    expect((await contentsOf(fileSystem, "/long")).toString()).toBe(`/${"x".repeat(100)}`);
    await expect(contentsOf(fileSystem, "/etc/nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(contentsOf(fileSystem, "/etc")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe.skipIf(!hasTools)("the difference of two file systems", () => {
  it("names what was added, changed and removed, and nothing else", async () => {
    const { image } = makeExt4();
    const before = readFileSync(image);
    const extra = folder.file("extra");
    writeFileSync(extra, "new contents");
    const commands = [
      "rm /many/file-7",
      `write ${extra} /etc/added`,
      "set_inode_field /etc/passwd ctime 20260101",
      "rm /short",
    ];
    for (const command of commands) execFileSync(DEBUGFS, ["-w", "-R", command, image], { stdio: "ignore" });
    const changes = await compareFileSystems(await onlyFileSystem(before), await onlyFileSystem(readFileSync(image)));
    expect(changes.map(({ path, change, sizeBefore, sizeAfter }) => [path, change, sizeBefore, sizeAfter])).toEqual([
      ["/etc/added", "added", null, 12],
      ["/etc/passwd", "changed", 11, 11],
      ["/many/file-7", "removed", 1, null],
      ["/short", "removed", 10, null],
    ]);
  });

  it("is everything where one side has none", async () => {
    const { image } = makeExt4();
    const changes = await compareFileSystems(undefined, await onlyFileSystem(readFileSync(image)));
    expect(new Set(changes.map((change) => change.change))).toEqual(new Set(["added"]));
  });
});

describe.skipIf(!hasTools)("a damaged ext4", () => {
  it("with an extent tree that has a part twice is refused, whose parts could be read for ever", async () => {
    const { data, file } = JournalledImage.make(folder);
    const bytes = readFileSync(file);
    const [first = 0] = data;
    let root = 0;
    do root = bytes.indexOf("0af3", root + 1, "hex");
    while (bytes.readUInt32LE(root + 20) !== first);
    const node = bytes.subarray(first * 1024, (first + 1) * 1024).fill(0);
    node.writeUInt16LE(0xf30a, 0);
    bytes.fill(0, root + 12, root + 60).set([2, 0, 4, 0, 1, 0], root + 2);
    for (const entry of [0, 1]) bytes.writeUInt32LE(first, root + 12 + 12 * entry + 4);
    await expect(contentsOf(await onlyFileSystem(bytes), "/data")).rejects.toMatchObject({
      message: expect.stringMatching(/extent tree/),
    });
  });

  it("with a file that is larger than any can be is refused, which nobody could read to its end", async () => {
    const { file } = JournalledImage.make(folder);
    execFileSync(DEBUGFS, ["-w", "-R", "set_inode_field data size 0x0b00000000000000", file], { stdio: "ignore" });
    const pieces = (await onlyFileSystem(readFileSync(file))).read("/data")[Symbol.asyncIterator]();
    await expect(pieces.next()).rejects.toMatchObject({ message: expect.stringMatching(/impossible size/) });
  });

  it("is read as far as it goes or refused, never more", async () => {
    const { image } = makeExt4();
    const original = readFileSync(image);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(600_000), fc.nat(255)), { minLength: 1, maxLength: 40 }),
        async (harm) => {
          const bytes = Buffer.from(original);
          for (const [offset, value] of harm) bytes[1024 + offset] = value;
          try {
            for (const { fileSystem } of await fileSystemsOf(sourceOf(bytes))) {
              let read = 0;
              for await (const node of fileSystem.list()) {
                if (node.kind !== "file" || node.sizeBytes > MIB || ++read > 20) continue;
                await contentsOf(fileSystem, node.path);
              }
            }
          } catch (error) {
            if (!isAppError(error)) throw error;
          }
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);
});

/** FAT16 with one folder, a long name and a file over three clusters. */
function makeFat16(): { bytes: Buffer; contents: Buffer } {
  const [sector, clusters] = [512, 5000];
  const tableSectors = Math.ceil((clusters + 2) / 256);
  const [table, root] = [sector, sector * (1 + tableSectors)];
  const data = root + 512 * 32;
  const bytes = Buffer.alloc(data + clusters * sector);
  bytes.set([0xeb, 0x3c, 0x90]);
  bytes.writeUInt16LE(sector, 11);
  bytes.set([1], 13);
  bytes.writeUInt16LE(1, 14);
  bytes.set([1], 16);
  bytes.writeUInt16LE(512, 17);
  bytes.writeUInt16LE(bytes.length / sector, 19);
  bytes.writeUInt16LE(tableSectors, 22);
  bytes.write("TESTS      ", 43, "latin1");
  bytes.writeUInt16LE(0xaa55, 510);
  const next = (cluster: number, value: number) => bytes.writeUInt16LE(value, table + cluster * 2);
  const entry = (at: number, name: string, attributes: number, cluster: number, size: number) => {
    bytes.write(name, at, "latin1");
    bytes[at + 11] = attributes;
    bytes.writeUInt16LE(((2026 - 1980) << 9) | (7 << 5) | 29, at + 24);
    bytes.writeUInt16LE(cluster, at + 26);
    bytes.writeUInt32LE(size, at + 28);
  };
  const longName = "A rather long name.txt";
  for (const [index, piece] of [longName.slice(13), longName.slice(0, 13)].entries()) {
    const at = root + index * 32;
    bytes.fill(0xff, at, at + 32);
    bytes[at] = index === 0 ? 0x42 : 1;
    bytes[at + 11] = 0x0f;
    for (const [position, unit] of [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30].entries()) {
      if (position <= piece.length) bytes.writeUInt16LE(piece.charCodeAt(position) || 0, at + unit);
    }
  }
  const contents = Buffer.alloc(1300, "fat contents ");
  entry(root + 64, "ARATHE~1TXT", 0x20, 2, contents.length);
  entry(root + 96, "SUB        ", 0x10, 9, 0);
  entry(root + 128, "\u00e5GONE   TXT", 0x20, 40, 5);
  next(2, 4);
  next(4, 3);
  next(3, 0xffff);
  next(9, 0xffff);
  for (const [index, cluster] of [2, 4, 3].entries()) {
    contents.copy(bytes, data + (cluster - 2) * sector, index * sector, (index + 1) * sector);
  }
  entry(data + (9 - 2) * sector, ".          ", 0x10, 9, 0);
  entry(data + (9 - 2) * sector + 32, "INNER   BIN", 0x20, 0, 0);
  return { bytes, contents };
}

describe("FAT", () => {
  it("lists short and long names, without what was deleted, and reads chains of clusters", async () => {
    const { bytes, contents } = makeFat16();
    const fileSystem = await onlyFileSystem(bytes);
    expect([fileSystem.kind, fileSystem.label]).toEqual(["fat", "TESTS"]);
    expect(await pathsOf(fileSystem)).toEqual([
      "/A rather long name.txt file 1300",
      "/SUB folder 0",
      "/SUB/INNER.BIN file 0",
    ]);
    expect(Buffer.compare(await contentsOf(fileSystem, "/a rather LONG name.txt"), contents)).toBe(0);
    await expect(contentsOf(fileSystem, "/SUB")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("with a chain in a circle ends", async () => {
    const { bytes } = makeFat16();
    bytes.writeUInt16LE(9, 512 + 9 * 2);
    await pathsOf(await onlyFileSystem(bytes));
    bytes.writeUInt16LE(0, 512 + 4 * 2);
    await expect(contentsOf(await onlyFileSystem(bytes), "/A rather long name.txt")).rejects.toMatchObject({
      code: "INVALID_FILE",
    });
  });
});

describe("partitions", () => {
  const disk = () => Buffer.alloc(4 * MIB);
  const mbr = (
    bytes: Buffer,
    at: number,
    entries: readonly (readonly [type: number, start: number, sectors: number])[],
  ) => {
    for (const [index, [type, start, sectors]] of entries.entries()) {
      bytes[at + 446 + index * 16 + 4] = type;
      bytes.writeUInt32LE(start, at + 446 + index * 16 + 8);
      bytes.writeUInt32LE(sectors, at + 446 + index * 16 + 12);
    }
    bytes.writeUInt16LE(0xaa55, at + 510);
  };

  it("of an MBR are found with the logical ones", async () => {
    const bytes = disk();
    mbr(bytes, 0, [
      [0x83, 64, 1000],
      [0x05, 2048, 4096],
    ]);
    mbr(bytes, 2048 * 512, [
      [0x83, 32, 500],
      [0x05, 1024, 1024],
    ]);
    mbr(bytes, (2048 + 1024) * 512, [[0x83, 16, 100]]);
    expect(await partitionsOf(sourceOf(bytes))).toEqual([
      { number: 1, offset: 64 * 512, sizeBytes: 1000 * 512 },
      { number: 5, offset: (2048 + 32) * 512, sizeBytes: 500 * 512 },
      { number: 6, offset: (2048 + 1024 + 16) * 512, sizeBytes: 100 * 512 },
    ]);
  });

  it.skipIf(!hasTools)("with a damaged file system don't keep others from being read", async () => {
    const { file } = JournalledImage.make(folder);
    const damaged = readFileSync(file);
    // It needs a journal that is on another disk.
    damaged.writeUInt32LE(damaged.readUInt32LE(1024 + 96) | 4, 1024 + 96);
    damaged.writeUInt32LE(0, 1024 + 224);
    const { bytes: sound } = makeFat16();
    const bytes = Buffer.concat([Buffer.alloc(32 * 512), damaged, sound]);
    mbr(bytes, 0, [
      [0x83, 32, damaged.length / 512],
      [0x06, 32 + damaged.length / 512, sound.length / 512],
    ]);
    const [first, second] = (await fileSystemsOf(sourceOf(bytes))).map(({ fileSystem }) => fileSystem);
    if (!first || !second) throw new Error("there are two");
    expect([first.kind, second.kind]).toEqual(["ext4", "fat"]);
    await expect(pathsOf(first)).rejects.toMatchObject({
      message: expect.stringMatching(/journal is on another disk/),
    });
    await expect(compareFileSystems(first, second)).rejects.toMatchObject({ code: "INVALID_FILE" });
    expect(() => first.sizeBytes).toThrow(/journal/);
    expect(await pathsOf(second)).toContain("/SUB folder 0");
  });

  it("of a GPT are found by their entries", async () => {
    const bytes = disk();
    mbr(bytes, 0, [[0xee, 1, 8191]]);
    bytes.write("EFI PART", 512, "latin1");
    bytes.writeBigUInt64LE(2n, 512 + 72);
    bytes.writeUInt32LE(128, 512 + 80);
    bytes.writeUInt32LE(128, 512 + 84);
    bytes.fill(7, 1024 + 128, 1024 + 128 + 16);
    bytes.writeBigUInt64LE(100n, 1024 + 128 + 32);
    bytes.writeBigUInt64LE(199n, 1024 + 128 + 40);
    expect(await partitionsOf(sourceOf(bytes))).toEqual([{ number: 2, offset: 100 * 512, sizeBytes: 100 * 512 }]);
  });

  it("that lie outside of the disk are not, and without a table it is one", async () => {
    const bytes = disk();
    mbr(bytes, 0, [[0x83, 64, 1_000_000]]);
    expect(await partitionsOf(sourceOf(bytes))).toEqual([{ number: 0, offset: 0, sizeBytes: bytes.length }]);
    expect(await partitionsOf(sourceOf(disk()))).toHaveLength(1);
    expect(await fileSystemsOf(sourceOf(disk()))).toEqual([]);
  });
});
