// The pieces that ISO images are written of (ECMA-119): numbers in both byte orders, directory records and volume descriptors.

export const ISO_BLOCK_BYTES = 2048;

export const both16 = (value: number): number[] => [value & 0xff, value >>> 8, value >>> 8, value & 0xff];

export function both32(value: number): number[] {
  const little = [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  return [...little, ...little.toReversed()];
}

export const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

export const blocksOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / ISO_BLOCK_BYTES));

/** ECMA-119 9.1. The date is 1 January 2026, so that equal input gives equal bytes. */
export function directoryRecord(name: readonly number[], block: number, size: number, isFolder: boolean): number[] {
  const length = 33 + name.length + ((name.length + 1) % 2);
  const bytes = [
    ...[length, 0, ...both32(block), ...both32(size)],
    ...[126, 1, 1, 0, 0, 0, 0, isFolder ? 2 : 0, 0, 0, ...both16(1), name.length, ...name],
  ];
  while (bytes.length < length) bytes.push(0);
  return bytes;
}

export interface VolumeParts {
  /** As bytes, at most 32. */
  readonly label: readonly number[];
  readonly blocks: number;
  readonly pathTable: { readonly bytes: number; readonly littleBlock: number; readonly bigBlock: number };
  /** Record of the root folder. */
  readonly root: readonly number[];
  /** What empty places of texts hold. */
  readonly blank: readonly number[];
}

/** ECMA-119 8.4 and 8.5; the supplementary one (type 2) differs in its texts. */
export function volumeDescriptor(type: 1 | 2, { label, blocks, pathTable, root, blank }: VolumeParts): Uint8Array {
  const bytes = new Uint8Array(ISO_BLOCK_BYTES);
  for (let at = 8; at < 0x330; at++) bytes[at] = blank[at % blank.length] ?? 0x20;
  bytes.set([type, ...ascii("CD001"), 1, 0]);
  bytes.set(label.slice(0, 32), 40);
  bytes.fill(0, 72, 190);
  bytes.set(both32(blocks), 80);
  bytes.set([...both16(1), ...both16(1), ...both16(ISO_BLOCK_BYTES), ...both32(pathTable.bytes)], 120);
  bytes.set(both32(pathTable.littleBlock).slice(0, 4), 140);
  bytes.set(both32(pathTable.bigBlock).slice(4), 148);
  bytes.set(root, 156);
  bytes[881] = 1;
  return bytes;
}

export const endDescriptor = (): Uint8Array => Uint8Array.of(255, ...ascii("CD001"), 1);
