// What the 9P server asks of a folder that the host shares: a tree of files below one root, asynchronous, with no knowledge of 9P.
// Implemented over the host's file system by native-core/host/shared-folders and in memory by tests.
//
// The guest is hostile: paths come as names that were checked one by one (names.ts), and the implementation reaches nothing outside
// of its root by them. It never follows a symbolic link, in the middle of a path or at its end.
import type { Pieces } from "../../../common/pieces.ts";

/** Linux's numbers, which 9P2000.L carries whatever the host (uapi/asm-generic/errno*.h). */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  ENAMETOOLONG: 36,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EPROTO: 71,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

/** A failure that the guest is told by its number, and by nothing else: the host's paths and words stay here. */
export class ShareError extends Error {
  readonly errno: number;

  constructor(name: keyof typeof ERRNO) {
    super(name);
    this.errno = ERRNO[name];
  }
}

export type FileKind = "file" | "folder" | "link" | "other";

export interface FileAttributes {
  readonly kind: FileKind;
  /** Tells the file from all others of the host: its device and inode in one number of 64 bits. */
  readonly id: bigint;
  /** Permission bits, `0o777` at most. */
  readonly mode: number;
  readonly links: number;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  /** In units of 512 bytes. */
  readonly blocks: number;
  readonly accessedNs: bigint;
  readonly modifiedNs: bigint;
  readonly changedNs: bigint;
}

/** What of a file changes; `now`: the host's time. */
export interface AttributeChanges {
  readonly mode?: number;
  readonly sizeBytes?: number;
  readonly accessedNs?: bigint | "now";
  readonly modifiedNs?: bigint | "now";
}

export interface FolderEntry {
  readonly name: string;
  readonly kind: FileKind;
}

export interface FileSystemFacts {
  readonly blockBytes: number;
  readonly blocks: bigint;
  readonly freeBlocks: bigint;
  readonly availableBlocks: bigint;
  readonly files: bigint;
  readonly freeFiles: bigint;
}

/** How a file is opened: for reading, writing or both; emptied; every write on the disk before it is answered. */
export interface OpenMode {
  readonly read: boolean;
  readonly write: boolean;
  readonly truncate: boolean;
  readonly synchronous: boolean;
}

/** An open file. Nothing is called after `close`, and `close` only when nothing is under way. */
export interface OpenFile {
  attributes(): Promise<FileAttributes>;
  /** Fills `target` from `offset` on; yields the number of bytes, fewer at the file's end. */
  read(offset: number, target: Pieces): Promise<number>;
  write(offset: number, source: Pieces): Promise<number>;
  /** The same at once, where nothing has to be waited for; undefined: ask with the other. */
  readNow?(offset: number, target: Pieces): number | undefined;
  writeNow?(offset: number, source: Pieces): number | undefined;
  change(changes: AttributeChanges): Promise<void>;
  /** Settles when what was written survives a power failure. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Names from the root inwards; the root is the empty path. */
export type FilePath = readonly string[];

/** Methods reject with ShareError; anything else counts as an I/O error. */
export interface FileShare {
  /** The folder that the guest sees it as. */
  readonly name: string;
  readonly readOnly: boolean;
  attributes(path: FilePath): Promise<FileAttributes>;
  /** The same at once, where nothing has to be waited for; undefined: ask with the other. */
  attributesNow?(path: FilePath): FileAttributes | undefined;
  facts(): Promise<FileSystemFacts>;
  /** A regular file, as the caller has seen; what turns out to be another is refused. */
  open(path: FilePath, mode: OpenMode): Promise<OpenFile>;
  /** Opens a file that was not there, or was unless `exclusive`. */
  create(path: FilePath, mode: OpenMode, permissions: number, exclusive: boolean): Promise<OpenFile>;
  /** In no order, without `.` and `..`. */
  list(path: FilePath): Promise<FolderEntry[]>;
  makeFolder(path: FilePath, permissions: number): Promise<void>;
  /** An empty folder, or anything else. */
  remove(path: FilePath, folder: boolean): Promise<void>;
  rename(from: FilePath, to: FilePath): Promise<void>;
  makeLink(path: FilePath, target: string): Promise<void>;
  readLink(path: FilePath): Promise<string>;
  hardLink(existing: FilePath, path: FilePath): Promise<void>;
  change(path: FilePath, changes: AttributeChanges): Promise<void>;
  /** Makes a folder's entries survive a power failure. */
  syncFolder(path: FilePath): Promise<void>;
}
