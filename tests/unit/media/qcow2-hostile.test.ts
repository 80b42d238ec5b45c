// Images from strangers: damaged, truncated and malicious ones end in a clear error that names file and field, never in a crash.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "../../../native-core/common/errors.ts";
import { nodeDecompressors } from "../../../native-core/host/media-host.ts";
import { formatOf } from "../../../native-core/media/detect-format.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { Qcow2Image, readHeader } from "../../../native-core/media/qcow2/image.ts";
import { MemoryImageFile } from "../../support/media/memory-image-file.ts";

const SIZE = 8 << 20;

async function sample(): Promise<Uint8Array> {
  const file = new MemoryImageFile();
  await createQcow2(file, SIZE);
  const image = await open(file);
  for (let n = 0; n < 20; n += 3) await image.write(n * 65536 + 512, new Uint8Array(70_000).fill(n + 1));
  await image.close();
  return file.contents.slice();
}

async function open(file: MemoryImageFile): Promise<Qcow2Image> {
  return Qcow2Image.open(file, await readHeader(file), { decompressors: nodeDecompressors });
}

/** Opens, reads everything, writes, flushes, closes. */
async function use(bytes: Uint8Array, readOnly: boolean): Promise<void> {
  const image = await open(new MemoryImageFile(bytes, readOnly, "strange.qcow2"));
  const step = 1 << 20;
  for (let offset = 0; offset < Math.min(image.sizeBytes, SIZE); offset += step) {
    await image.read(offset, new Uint8Array(Math.min(step, image.sizeBytes - offset)));
  }
  if (!readOnly && image.sizeBytes >= 512) {
    await image.write(0, new Uint8Array(512));
    await image.discard(0, Math.min(image.sizeBytes, SIZE));
    await image.flush();
  }
  await image.close();
}

function set(bytes: Uint8Array, offset: number, value: bigint | number, size: 4 | 8): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  if (size === 4) view.setUint32(offset, Number(value));
  else view.setBigUint64(offset, BigInt(value));
  return copy;
}

describe("a strange qcow2 image", () => {
  const cases: [string, number, bigint | number, 4 | 8, string][] = [
    ["magic", 0, 0x12345678, 4, "magic"],
    ["version", 4, 7, 4, "version"],
    ["cluster bits too small", 20, 8, 4, "cluster bits"],
    ["cluster bits too large", 20, 40, 4, "cluster bits"],
    ["size beyond the L1 table", 24, 1n << 50n, 8, "L1 table size"],
    ["size beyond 2^53", 24, 0xffffffffffffffffn, 8, "disk size"],
    ["size of half a sector", 24, 100n, 8, "disk size"],
    ["encryption", 32, 1, 4, "encryption"],
    ["L1 table of gigabytes", 36, 0x7fffffff, 4, "L1 table size"],
    ["L1 table behind the end", 40, 1n << 40n, 8, "L1 table offset"],
    ["L1 table unaligned", 40, 196609n, 8, "L1 table offset"],
    ["refcount table behind the end", 48, 1n << 40n, 8, "refcount table offset"],
    ["refcount table of no length", 56, 0, 4, "refcount table size"],
    ["refcount table of gigabytes", 56, 0xffffffff, 4, "refcount table size"],
    ["external data", 72, 4n, 8, "external data file"],
    ["unknown features", 72, 1n << 20n, 8, "incompatible features"],
    ["marked corrupt", 72, 2n, 8, "corrupt bit"],
    ["marked dirty", 72, 1n, 8, "dirty bit"],
    ["refcount order", 96, 9, 4, "refcount order"],
    ["header length", 100, 0xffffff00, 4, "header length"],
    ["extension longer than the header", 108, 0x10000000, 4, "header extension"],
    ["backing name behind the header", 8, 0xfff0n, 8, "backing file offset"],
  ];
  it.each(cases)("with a wrong field is refused by name: %s", async (_title, offset, value, size, field) => {
    let bytes = set(await sample(), offset, value, size);
    if (field === "header extension") bytes = set(bytes, 104, 0x12345678, 4);
    if (field === "backing file offset") bytes = set(bytes, 16, 1000, 4);
    const failure = await use(bytes, false).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(AppError);
    expect((failure as AppError).details).toMatchObject({ file: "strange.qcow2", field });
  });

  it("that is marked dirty or corrupt can still be read", async () => {
    await use(set(await sample(), 72, 3n, 8), true);
  });

  it("that was cut off at any length is refused, or says so where data is missing", async () => {
    const whole = await sample();
    for (let length = 0; length < whole.length - 65536; length += 16384 + 512) {
      const failure = await use(whole.slice(0, length), true).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure, `cut to ${length}`).toBeInstanceOf(AppError);
      expect((failure as AppError).code).toBe("INVALID_FILE");
    }
  }, 60_000);

  it("with any bytes of its tables changed ends in an AppError or works", async () => {
    const whole = await sample();
    // Header, refcount table, block and L1 begin at these clusters, the L2 table at the fifth.
    const place = fc.tuple(fc.nat(4), fc.nat(200)).map(([cluster, at]) => cluster * 65536 + at);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (changes, readOnly) => {
          const bytes = whole.slice();
          for (const [at, value] of changes) bytes[at] = value;
          try {
            await use(bytes, readOnly);
          } catch (error) {
            if (!(error instanceof AppError)) throw error;
            // A backing file that appears out of thin air is refused before anything is opened.
            expect(["INVALID_FILE", "UNSUPPORTED"]).toContain(error.code);
          }
        },
      ),
      { numRuns: 400 },
    );
  }, 60_000);

  it("stops taking writes once damage was met", async () => {
    const bytes = await sample();
    const l2 = 4 * 65536;
    // The first L2 entry points at the refcount table.
    const image = await open(new MemoryImageFile(set(bytes, l2, (1n << 63n) | 65536n, 8), false, "strange.qcow2"));
    await expect(image.write(0, new Uint8Array(512))).rejects.toMatchObject({ code: "INVALID_FILE" });
    await expect(image.write(SIZE / 2, new Uint8Array(512))).rejects.toMatchObject({ code: "INVALID_FILE" });
  });
});

describe("format detection", () => {
  it("names foreign formats instead of using them as raw disks", async () => {
    const vmdk = new TextEncoder().encode(`KDMV${"\0".repeat(600)}`);
    await expect(formatOf(new MemoryImageFile(vmdk))).rejects.toMatchObject({ code: "UNSUPPORTED", message: /VMDK/ });
    expect(await formatOf(new MemoryImageFile(await sample()))).toBe("qcow2");
    expect(await formatOf(new MemoryImageFile(new Uint8Array(1024)))).toBe("raw");
  });
});
