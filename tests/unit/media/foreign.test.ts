// Disk images of other products: made by qemu-img, read by us, compared byte for byte; hostile ones get an error.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAppError } from "../../../native-core/common/errors.ts";
import { nodeDecompressors } from "../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import type { ForeignImage } from "../../../native-core/media/foreign/foreign-image.ts";
import { foreignFormatOf, openForeign } from "../../../native-core/media/foreign/open.ts";
import type { ImageFile } from "../../../native-core/media/image-file.ts";
import { MemoryImageFile } from "../../support/media/memory-image-file.ts";
import { hasQemuTools, qemuImg, temporaryFolder } from "../../support/media/qemu-tools.ts";

const DISK_BYTES = 24 << 20;
const VARIANTS = [
  ["vdi", "vdi", ""],
  ["vdi", "vdi", "static=on"],
  ["vmdk", "vmdk", "subformat=monolithicSparse"],
  ["vmdk", "vmdk", "subformat=streamOptimized"],
  ["vmdk", "vmdk", "subformat=monolithicFlat"],
  ["vmdk", "vmdk", "subformat=twoGbMaxExtentSparse"],
  ["vhd", "vpc", "subformat=dynamic,force_size=on"],
  ["vhd", "vpc", "subformat=fixed,force_size=on"],
  ["vhdx", "vhdx", "subformat=dynamic"],
  ["vhdx", "vhdx", "subformat=fixed,block_size=1048576"],
] as const;

describe.skipIf(!hasQemuTools)("Disk images of other products", () => {
  const temporary = temporaryFolder("foreign");
  const raw = temporary.file("disk.raw");
  const content = Buffer.alloc(DISK_BYTES);

  beforeAll(() => {
    // Text that compresses, noise that does not, and holes between them.
    for (const [at, length] of [
      [0, 512],
      [3 << 20, 300_000],
      [(9 << 20) + 4096, 2 << 20],
      [DISK_BYTES - 512, 512],
    ] as const)
      for (let index = 0; index < length; index++)
        content[at + index] = (index * 7 + (index >> 9) * 31 + at / 512) & 0xff;
    writeFileSync(raw, content);
  });
  afterAll(() => temporary.remove());

  async function convert(format: string, options: string, name: string): Promise<string> {
    const file = temporary.file(name);
    await qemuImg("convert", "-f", "raw", "-O", format, ...(options ? ["-o", options] : []), raw, file);
    return file;
  }

  async function open(file: string): Promise<ForeignImage> {
    const image = await openForeign(await NodeImageFile.open(file, { readOnly: true, lock: null }), {
      decompressors: nodeDecompressors,
      openBeside: (name) => NodeImageFile.open(join(dirname(file), name), { readOnly: true, lock: null }),
    });
    if (!image) throw new Error(`${file} was not recognized`);
    return image;
  }

  it.each(VARIANTS)(
    "of kind %s (%s %s) read as the disk they hold, with their holes",
    async (format, qemuFormat, options) => {
      const file = await convert(qemuFormat, options, `disk-${options.replaceAll(/\W/g, "")}.${format}`);
      const image = await open(file);
      try {
        expect([image.format, image.sizeBytes]).toEqual([format, DISK_BYTES]);
        const whole = Buffer.alloc(DISK_BYTES);
        for (let at = 0; at < DISK_BYTES; at += 1_000_448) {
          await image.read(at, whole.subarray(at, Math.min(at + 1_000_448, DISK_BYTES)));
        }
        expect(whole.equals(content)).toBe(true);
        let at = 0;
        while (at < DISK_BYTES) {
          const extent = await image.extentAt(at, DISK_BYTES - at);
          if (extent.kind === "zero")
            expect(content.subarray(at, at + extent.length).every((byte) => byte === 0)).toBe(true);
          at += extent.length;
        }
        expect(at).toBe(DISK_BYTES);
      } finally {
        await image.close();
      }
    },
  );

  it("never make more of a damaged header than an error that names the file", async () => {
    const files = await Promise.all([
      convert("vdi", "", "fuzz.vdi"),
      convert("vmdk", "subformat=monolithicSparse", "fuzz.vmdk"),
      convert("vmdk", "subformat=streamOptimized", "fuzz-stream.vmdk"),
      convert("vpc", "subformat=dynamic", "fuzz.vhd"),
      convert("vhdx", "", "fuzz.vhdx"),
    ]);
    const images = files.map((file) => readFileSync(file));
    const wound = fc.record({ at: fc.nat(0x50000), value: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff) });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(images.length - 1),
        fc.array(wound, { minLength: 1, maxLength: 12 }),
        fc.nat(100),
        async (which, wounds, cut) => {
          const source = images[which] as Buffer;
          const bytes = new Uint8Array(
            source.subarray(0, cut < 10 ? Math.floor((source.length * cut) / 10) : undefined),
          );
          for (const { at, value } of wounds) if (at < bytes.length) bytes[at] = value;
          await readSome(new MemoryImageFile(bytes, true, "hostile.img"));
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);

  it("never name files elsewhere on the host", async () => {
    const opened: string[] = [];
    for (const name of ["/etc/passwd", "../secret", "..\\secret", ".hidden"]) {
      const text = `# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\nRW 2048 FLAT "${name}" 0\n`;
      const file = new MemoryImageFile(new TextEncoder().encode(text), true, "descriptor.vmdk");
      const attempt = openForeign(file, {
        decompressors: nodeDecompressors,
        openBeside: async (beside): Promise<ImageFile> => {
          opened.push(beside);
          throw new Error("not reached");
        },
      });
      await expect(attempt).rejects.toMatchObject({ code: "INVALID_FILE", details: { file: "descriptor.vmdk" } });
    }
    expect(opened).toEqual([]);
  });

  it("are told from raw disks and from what stands on another image", async () => {
    expect(await foreignFormatOf(new MemoryImageFile(new Uint8Array(1 << 20)))).toBeNull();
    const text = '# Disk DescriptorFile\nCID=1\nparentCID=12345678\nRW 2048 SPARSE "a.vmdk"\n';
    const child = new MemoryImageFile(new TextEncoder().encode(text), true, "child.vmdk");
    const host = { decompressors: nodeDecompressors, openBeside: async (): Promise<ImageFile> => child };
    await expect(openForeign(child, host)).rejects.toMatchObject({ code: "UNSUPPORTED", details: { field: "parent" } });
  });
});

async function readSome(file: ImageFile): Promise<void> {
  try {
    const image = await openForeign(file, {
      decompressors: nodeDecompressors,
      openBeside: async (): Promise<ImageFile> => new MemoryImageFile(new Uint8Array(4096), true),
    });
    if (!image) return;
    const piece = new Uint8Array(4096);
    for (const at of [0, 3 << 20, 9 << 20]) {
      if (at + piece.length > image.sizeBytes) continue;
      await image.extentAt(at, Math.min(1 << 20, image.sizeBytes - at));
      await image.read(at, piece);
    }
  } catch (error) {
    if (!isAppError(error)) throw error;
    expect(error.details.file).toBeTruthy();
  }
}
