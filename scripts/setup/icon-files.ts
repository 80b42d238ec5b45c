// Icons of Windows and macOS: several sizes in one file, each a PNG as it is (Windows Vista and Mac OS X 10.7 on).

/** A PNG and the length of its sides in pixels. */
export type IconPicture = readonly [size: number, png: Buffer];

/**
 * ICO: a header (reserved, type 1, count), an entry of 16 bytes for each picture, the pictures.
 *
 *   0 width  1 height  2 colours  3 -  4 planes  6 bits per pixel  8 bytes  12 offset       (a side of 256 is written as 0)
 */
export function ico(pictures: readonly IconPicture[]): Buffer {
  const head = Buffer.alloc(6 + 16 * pictures.length);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(pictures.length, 4);
  let offset = head.length;
  for (const [index, [size, png]] of pictures.entries()) {
    const at = 6 + 16 * index;
    head.writeUInt8(size & 0xff, at);
    head.writeUInt8(size & 0xff, at + 1);
    head.writeUInt16LE(1, at + 4);
    head.writeUInt16LE(32, at + 6);
    head.writeUInt32LE(png.length, at + 8);
    head.writeUInt32LE(offset, at + 12);
    offset += png.length;
  }
  return Buffer.concat([head, ...pictures.map(([, png]) => png)]);
}

/** Types of the sizes that macOS knows as PNG; sizes for its sharp screens have names of their own. */
const ICNS_TYPES: Readonly<Record<number, readonly string[]>> = {
  32: ["ic11"],
  64: ["ic12"],
  128: ["ic07"],
  256: ["ic08", "ic13"],
  512: ["ic09", "ic14"],
  1024: ["ic10"],
};

/** ICNS: `icns`, the length of all, then a type and a length (with these eight bytes) before each picture; big endian. */
export function icns(pictures: readonly IconPicture[]): Buffer {
  const parts = pictures.flatMap(([size, png]) => (ICNS_TYPES[size] ?? []).map((type) => chunk(type, png)));
  return chunk("icns", Buffer.concat(parts));
}

function chunk(type: string, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(type, "latin1");
  head.writeUInt32BE(8 + content.length, 4);
  return Buffer.concat([head, content]);
}
