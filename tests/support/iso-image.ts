// Makes ISO images for tests: ECMA-119 level 1 with folders, and an El Torito boot entry for the PC without emulation.
//
//   block 16 primary descriptor   17 boot record   18 end   19 boot catalogue   20.. path table, folders, files
import {
  ascii,
  ISO_BLOCK_BYTES as BLOCK,
  blocksOf,
  both16,
  both32,
  directoryRecord,
  endDescriptor,
  volumeDescriptor,
} from "../../native-core/media/iso-records.ts";

const CATALOGUE = 19;
const PATH_TABLE = 20;

export interface IsoParts {
  readonly label: string;
  /** By path, such as `ISOLINUX/LINUX`; folders come by themselves. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Path of the file that is the boot image; it gets a boot information table, as isolinux wants one. */
  readonly boot?: string;
}

interface Folder {
  readonly name: string;
  readonly parent: Folder | undefined;
  readonly entries: Map<string, Folder | Uint8Array>;
  block: number;
}

export function isoImage({ label, files, boot }: IsoParts): Uint8Array {
  const root: Folder = { name: "", parent: undefined, entries: new Map(), block: 0 };
  for (const [path, content] of files) place(root, path.split("/"), content);
  const folders = [...walk(root)];
  let next = PATH_TABLE + 2;
  for (const folder of folders) {
    folder.block = next;
    next += blocksOf(records(folder, new Map()).length);
  }
  const places = new Map<Uint8Array, number>();
  for (const content of files.values()) {
    places.set(content, next);
    next += blocksOf(content.length);
  }
  const image = new Uint8Array(next * BLOCK);
  const put = (block: number, content: Uint8Array): void => image.set(content, block * BLOCK);
  for (const folder of folders) put(folder.block, records(folder, places));
  for (const [content, block] of places) put(block, content);
  put(PATH_TABLE, pathTable(folders, true));
  put(PATH_TABLE + 1, pathTable(folders, false));
  put(16, primary(label, next, root, pathTable(folders, true).length));
  put(18, endDescriptor());
  const bootFile = boot === undefined ? undefined : files.get(boot);
  if (bootFile) {
    const block = places.get(bootFile) ?? 0;
    put(17, bootRecord());
    put(CATALOGUE, catalogue(block));
    writeBootInformation(image.subarray(block * BLOCK, block * BLOCK + bootFile.length), block);
  }
  return image;
}

function place(folder: Folder, path: readonly string[], content: Uint8Array): void {
  const [name = "", ...rest] = path;
  if (rest.length === 0) {
    folder.entries.set(name, content);
    return;
  }
  let inner = folder.entries.get(name);
  if (!inner || inner instanceof Uint8Array) {
    inner = { name, parent: folder, entries: new Map(), block: 0 };
    folder.entries.set(name, inner);
  }
  place(inner, rest, content);
}

function* walk(folder: Folder): Generator<Folder> {
  yield folder;
  for (const entry of folder.entries.values()) if (!(entry instanceof Uint8Array)) yield* walk(entry);
}

/** A folder's records; none crosses a block. */
function records(folder: Folder, places: ReadonlyMap<Uint8Array, number>): Uint8Array {
  const size = (of: Folder): number => (of === folder ? 0 : records(of, places).length);
  const own = [
    record("\0", folder.block, 0, true),
    record("\u0001", (folder.parent ?? folder).block, folder.parent ? BLOCK : 0, true),
    ...[...folder.entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, entry]) =>
        entry instanceof Uint8Array
          ? record(`${name};1`, places.get(entry) ?? 0, entry.length, false)
          : record(name, entry.block, size(entry), true),
      ),
  ];
  const bytes: number[] = [];
  for (const each of own) {
    if ((bytes.length % BLOCK) + each.length > BLOCK) while (bytes.length % BLOCK !== 0) bytes.push(0);
    bytes.push(...each);
  }
  while (bytes.length % BLOCK !== 0) bytes.push(0);
  const result = Uint8Array.from(bytes);
  // "." and ".." know their size only now; parents are taken to be one block.
  new DataView(result.buffer).setUint32(10, result.length, true);
  new DataView(result.buffer).setUint32(14, result.length, false);
  if (!folder.parent) {
    const second = result[0] ?? 0;
    new DataView(result.buffer).setUint32(second + 10, result.length, true);
    new DataView(result.buffer).setUint32(second + 14, result.length, false);
  }
  return result;
}

function record(name: string, block: number, size: number, isFolder: boolean): number[] {
  return directoryRecord(ascii(name), block, size, isFolder);
}

function pathTable(folders: readonly Folder[], little: boolean): Uint8Array {
  const bytes = folders.flatMap((folder) => {
    const name = ascii(folder.name || "\0");
    const block = both32(folder.block);
    const parent = both16(folders.indexOf(folder.parent ?? folder) + 1);
    return [
      ...[name.length, 0, ...(little ? block.slice(0, 4) : block.slice(4))],
      ...[...(little ? parent.slice(0, 2) : parent.slice(2)), ...name, ...(name.length % 2 ? [0] : [])],
    ];
  });
  return Uint8Array.from(bytes);
}

function primary(label: string, blocks: number, root: Folder, pathTableBytes: number): Uint8Array {
  return volumeDescriptor(1, {
    label: ascii(label.padEnd(32)),
    blocks,
    pathTable: { bytes: pathTableBytes, littleBlock: PATH_TABLE, bigBlock: PATH_TABLE + 1 },
    root: record("\0", root.block, records(root, new Map()).length, true),
    blank: [0x20],
  });
}

function bootRecord(): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  bytes.set([0, ...ascii("CD001"), 1, ...ascii("EL TORITO SPECIFICATION")]);
  bytes.set(both32(CATALOGUE).slice(0, 4), 0x47);
  return bytes;
}

function catalogue(block: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  const view = new DataView(bytes.buffer);
  bytes.set([1, 0]);
  bytes.set([0x55, 0xaa], 30);
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum += view.getUint16(at, true);
  view.setUint16(28, -sum & 0xffff, true);
  // Bootable, no emulation, four sectors of 512 bytes.
  bytes.set([0x88, 0, 0, 0, 0, 0, 4, 0, ...both32(block).slice(0, 4)], 32);
  return bytes;
}

/** mkisofs' boot information table: primary descriptor, own block, length and checksum of what follows byte 64. */
function writeBootInformation(file: Uint8Array, block: number): void {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  let sum = 0;
  for (let at = 64; at + 4 <= file.length; at += 4) sum = (sum + view.getUint32(at, true)) >>> 0;
  view.setUint32(8, 16, true);
  view.setUint32(12, block, true);
  view.setUint32(16, file.length, true);
  view.setUint32(20, sum, true);
  file.fill(0, 24, 64);
}
