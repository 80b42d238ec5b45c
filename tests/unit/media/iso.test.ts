// What an ISO image tells about itself, and that damaged ones tell nothing instead of failing.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readIso } from "../../../native-core/media/iso.ts";
import { isoImage } from "../../support/iso-image.ts";
import { MemoryImageFile } from "../../support/media/memory-image-file.ts";

const files = new Map([["BOOT/LOADER", new Uint8Array(3000).fill(0x90)]]);
const image = isoImage({ label: "DEBIAN 12.11", files, boot: "BOOT/LOADER" });

describe("An ISO image", () => {
  it("tells its label and that a PC boots from it", async () => {
    expect(await readIso(new MemoryImageFile(image))).toEqual({
      label: "DEBIAN 12.11",
      bootsBios: true,
      bootsUefi: false,
    });
    const plain = isoImage({ label: "DATA", files });
    expect(await readIso(new MemoryImageFile(plain))).toEqual({ label: "DATA", bootsBios: false, bootsUefi: false });
  });

  it("is not what a file without its signature is", async () => {
    expect(await readIso(new MemoryImageFile(new Uint8Array(1 << 20)))).toBeNull();
    expect(await readIso(new MemoryImageFile(new Uint8Array(10)))).toBeNull();
  });

  it("never fails on damaged bytes", async () => {
    const damage = fc.array(fc.tuple(fc.integer({ min: 16 * 2048, max: image.length - 1 }), fc.nat(255)), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(damage, async (wounds) => {
        const wounded = image.slice();
        for (const [at, value] of wounds) wounded[at] = value;
        await readIso(new MemoryImageFile(wounded));
      }),
      { numRuns: 200 },
    );
  });
});
