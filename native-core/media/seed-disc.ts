// Makes small discs with some files in one folder, as installers and cloud-init look for: ECMA-119 with Joliet, so that Linux and Windows
// see the names as they are.
//
//   block 16 primary   17 Joliet   18 end   19/20 path tables   21/22 Joliet's   23 folder   24 Joliet's   25.. files
import {
  ascii,
  blocksOf,
  both16,
  both32,
  directoryRecord,
  endDescriptor,
  ISO_BLOCK_BYTES,
  volumeDescriptor,
} from "./iso-records.ts";

const PLACES = {
  primary: 16,
  joliet: 17,
  end: 18,
  paths: 19,
  jolietPaths: 21,
  folder: 23,
  jolietFolder: 24,
  files: 25,
};
/** Level 3 of UCS-2, in the descriptor's escape sequences (Joliet 1995, "SVD Escape Sequences Field"). */
const JOLIET_LEVEL_3 = { at: 88, bytes: [0x25, 0x2f, 0x45] } as const;

interface Place {
  readonly name: string;
  readonly block: number;
  readonly size: number;
}

/** `label`: up to 32 characters. Names are plain ASCII, without folders; all of them fit one block. */
export function seedDisc(label: string, files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  let next = PLACES.files;
  const places: Place[] = [];
  for (const [name, { length }] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    places.push({ name, block: next, size: length });
    next += blocksOf(length);
  }
  const image = new Uint8Array(next * ISO_BLOCK_BYTES);
  const put = (block: number, bytes: ArrayLike<number>): void => image.set(bytes, block * ISO_BLOCK_BYTES);
  const volume = (folder: number, paths: number) => ({
    blocks: next,
    pathTable: { bytes: 10, littleBlock: paths, bigBlock: paths + 1 },
    root: directoryRecord([0], folder, ISO_BLOCK_BYTES, true),
  });
  const plain = { label: ascii(label.padEnd(32)), blank: [0x20], ...volume(PLACES.folder, PLACES.paths) };
  put(PLACES.primary, volumeDescriptor(1, plain));
  const wide = { label: ucs2(label), blank: [0x00, 0x20], ...volume(PLACES.jolietFolder, PLACES.jolietPaths) };
  const joliet = volumeDescriptor(2, wide);
  joliet.set(JOLIET_LEVEL_3.bytes, JOLIET_LEVEL_3.at);
  put(PLACES.joliet, joliet);
  put(PLACES.end, endDescriptor());
  for (const [paths, folder] of [
    [PLACES.paths, PLACES.folder],
    [PLACES.jolietPaths, PLACES.jolietFolder],
  ] as const) {
    const block = both32(folder);
    put(paths, [1, 0, ...block.slice(0, 4), ...both16(1).slice(0, 2), 0, 0]);
    put(paths + 1, [1, 0, ...block.slice(4), ...both16(1).slice(2), 0, 0]);
  }
  put(
    PLACES.folder,
    folderOf(PLACES.folder, places, (name) => ascii(`${name.toUpperCase()};1`)),
  );
  put(PLACES.jolietFolder, folderOf(PLACES.jolietFolder, places, ucs2));
  for (const { name, block } of places) put(block, files.get(name) ?? []);
  return image;
}

function folderOf(block: number, places: readonly Place[], encode: (name: string) => number[]): number[] {
  return [
    ...directoryRecord([0], block, ISO_BLOCK_BYTES, true),
    ...directoryRecord([1], block, ISO_BLOCK_BYTES, true),
    ...places.flatMap(({ name, block: at, size }) => directoryRecord(encode(name), at, size, false)),
  ];
}

/** Big-endian, as Joliet has it. */
const ucs2 = (text: string): number[] => ascii(text).flatMap((code) => [code >>> 8, code & 0xff]);
