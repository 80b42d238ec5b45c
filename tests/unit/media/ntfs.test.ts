// NTFS as ntfs-3g made it (mkntfs -c 512, then files through a mount): folders, a hard link, an empty, a sparse, a compressed and a deleted file,
// and one in 300 pieces, whose attributes take several records. The table of capital letters is left out of the image, for its size.
import { readFileSync } from "node:fs";
import { zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isAppError } from "../../../native-core/common/errors.ts";
import { compareFileSystems } from "../../../native-core/media/file-systems/open.ts";
import { contentsOf, onlyFileSystem, pathsOf } from "../../support/media/file-systems.ts";

const IMAGE = zstdDecompressSync(readFileSync(new URL("../../fixtures/ntfs.img.zst", import.meta.url)));

describe("NTFS", () => {
  it("tells its name, its size and every file, but no deleted ones and none of its own", async () => {
    const fileSystem = await onlyFileSystem(IMAGE);
    expect([fileSystem.kind, fileSystem.label, fileSystem.sizeBytes]).toEqual(["ntfs", "Guest", IMAGE.length]);
    expect(await pathsOf(fileSystem)).toEqual([
      "/Users folder 0",
      "/Users/Ann folder 0",
      "/Users/Ann/Documents folder 0",
      "/Users/Ann/Documents/note.txt file 6",
      "/Users/Ann/Ünïcode name.txt file 6",
      "/empty file 0",
      "/link to note.txt file 6",
      "/packed folder 0",
      "/packed/text file 36000",
      "/scattered file 307200",
      "/sparse file 1048590",
    ]);
  });

  it("gives the contents of files, in whatever case they are asked for", async () => {
    const fileSystem = await onlyFileSystem(IMAGE);
    expect((await contentsOf(fileSystem, "/users/ann/documents/NOTE.TXT")).toString()).toBe("hello\n");
    expect((await contentsOf(fileSystem, "/link to note.txt")).toString()).toBe("hello\n");
    expect(await contentsOf(fileSystem, "/empty")).toHaveLength(0);
    const sparse = await contentsOf(fileSystem, "/sparse");
    expect(sparse.subarray(1 << 20).toString()).toBe("end of sparse\n");
    expect(sparse.subarray(0, 1 << 20).every((byte) => byte === 0)).toBe(true);
    const scattered = await contentsOf(fileSystem, "/scattered");
    expect(scattered.equals(Buffer.concat(Array.from({ length: 300 }, (_, n) => Buffer.alloc(1024, n % 251))))).toBe(
      true,
    );
  });

  it("refuses compressed files, folders and what is not there by name", async () => {
    const fileSystem = await onlyFileSystem(IMAGE);
    await expect(contentsOf(fileSystem, "/packed/text")).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(contentsOf(fileSystem, "/Users")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(contentsOf(fileSystem, "/gone")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("shows what changed between two states", async () => {
    const later = Buffer.from(IMAGE);
    const name = Buffer.from("empty", "utf16le");
    // In its record, behind the attribute with its times.
    for (let at = later.indexOf(name); at >= 0; at = later.indexOf(name, at + 1)) later.write("fresh", at, "utf16le");
    const changes = await compareFileSystems(await onlyFileSystem(IMAGE), await onlyFileSystem(later));
    expect(changes.map(({ path, change }) => `${change} ${path}`)).toEqual(["removed /empty", "added /fresh"]);
  });

  it("that is damaged anywhere is refused or read in part, and never hangs", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(120_000), fc.nat(255)), { minLength: 1, maxLength: 40 }),
        async (changes) => {
          const damaged = Buffer.from(IMAGE);
          for (const [offset, value] of changes) damaged[offset] = value;
          try {
            const fileSystem = await onlyFileSystem(damaged);
            for await (const { path, kind, sizeBytes } of fileSystem.list()) {
              if (kind === "file" && sizeBytes < 4 << 20) await contentsOf(fileSystem, path).catch(refusal);
            }
          } catch (error) {
            refusal(error);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

function refusal(error: unknown): void {
  if (!isAppError(error) && !(error instanceof Error && error.message === "there is no file system")) throw error;
}
