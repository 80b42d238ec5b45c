// What the host tells of a file, as the guest is told.
import { type BigIntStats, constants } from "node:fs";
import type { FileAttributes, FileKind } from "../../devices/virtio/p9/file-share.ts";

interface Kinds {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

export function kindOf(entry: Kinds): FileKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  return entry.isSymbolicLink() ? "link" : "other";
}

export function attributesOf(stats: BigIntStats): FileAttributes {
  const kind = kindOf(stats);
  return {
    kind,
    id: idOf(stats),
    mode: Number(stats.mode & 0o777n) | (kind === "folder" ? searchBits() : 0),
    links: Number(stats.nlink),
    sizeBytes: Number(stats.size),
    blockBytes: Number(stats.blksize),
    blocks: Number(stats.blocks),
    accessedNs: stats.atimeNs,
    modifiedNs: stats.mtimeNs,
    changedNs: stats.ctimeNs,
  };
}

/** Windows has no such permission. */
const searchBits = (): number => (process.platform === "win32" ? constants.S_IXUSR | 0o011 : 0);

/** Inodes have less than 48 bits nearly everywhere; the device, spread over the rest, tells file systems below one folder apart. */
function idOf({ dev, ino }: BigIntStats): bigint {
  return BigInt.asUintN(64, ino ^ ((dev * 0x9e37_79b9_7f4a_7c15n) << 48n));
}
