import { deflateSync, inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { encodePng, type Image } from "../../../native-core/display/png.ts";
import { thumbnail } from "../../../native-core/display/thumbnail.ts";

function image(width: number, height: number, paint: (x: number, y: number) => number): Image {
  const pixels = new Uint32Array(width * height);
  for (let at = 0; at < pixels.length; at++) {
    pixels[at] = (0xff00_0000 | paint(at % width, Math.floor(at / width))) >>> 0;
  }
  return { width, height, pixels };
}

describe("PNG files (RFC 2083)", () => {
  it("hold the picture's pixels line by line", () => {
    const bytes = encodePng(
      image(3, 2, (x, y) => (x << 16) | (y << 8) | 7),
      (data) => new Uint8Array(deflateSync(data)),
    );
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    expect([...bytes.subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
    expect([view.getUint32(16), view.getUint32(20), bytes[24], bytes[25]]).toEqual([3, 2, 8, 2]);
    // CRC of IHDR, computed by another implementation.
    expect(view.getUint32(29)).toBe(0x1216_f14d);
    const data = inflateSync(bytes.subarray(41, 41 + view.getUint32(33)));
    expect([...data]).toEqual([2, 7, 0, 0, 7, 0, 1, 7, 0, 2, 2, 0, 1, 0, 0, 1, 0, 0, 1, 0]);
  });
});

describe("thumbnails", () => {
  it("average what they cover and keep the shape, centred on black", () => {
    const small = thumbnail(
      image(640, 320, (x) => (x % 2 ? 0xffffff : 0)),
      160,
    );
    expect([small.width, small.height]).toEqual([160, 100]);
    expect(small.pixels[50 * 160 + 80]).toBe(0xff80_8080);
    expect(small.pixels[0]).toBe(0xff00_0000);
  });

  it("do not enlarge", () => {
    const small = thumbnail(
      image(16, 10, () => 0xff),
      160,
    );
    expect(small.pixels.filter((pixel) => pixel === 0xff00_00ff)).toHaveLength(160);
  });
});
