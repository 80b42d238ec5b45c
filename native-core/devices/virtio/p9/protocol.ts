// 9P2000.L: messages, bits and limits. A message is size:u32 type:u8 tag:u16 and its fields, little-endian; strings are a length:u16 and
// UTF-8, qids are type:u8 version:u32 path:u64 and name a file. (virtio 1.2 5.15; the diod project's protocol.md; Linux, net/9p.)

/** Requests; the answer's number is one more. */
export const T = {
  LERROR: 6,
  STATFS: 8,
  LOPEN: 12,
  LCREATE: 14,
  SYMLINK: 16,
  MKNOD: 18,
  RENAME: 20,
  READLINK: 22,
  GETATTR: 24,
  SETATTR: 26,
  XATTRWALK: 30,
  XATTRCREATE: 32,
  READDIR: 40,
  FSYNC: 50,
  LOCK: 52,
  GETLOCK: 54,
  LINK: 70,
  MKDIR: 72,
  RENAMEAT: 74,
  UNLINKAT: 76,
  VERSION: 100,
  AUTH: 102,
  ATTACH: 104,
  FLUSH: 108,
  WALK: 110,
  READ: 116,
  WRITE: 118,
  CLUNK: 120,
  REMOVE: 122,
} as const;

export const VERSION = "9P2000.L";
export const HEADER_BYTES = 7;
/** Of the answer to a read, and of a request to write, before the data. */
export const READ_ANSWER_BYTES = 11;
export const WRITE_REQUEST_BYTES = 23;
/** An answer has to hold an error at least. */
export const ERROR_BYTES = 11;

export const MSIZE_MIN = 4096;
/** Linux asks for 512,000 bytes at most over virtio. */
export const MSIZE_MAX = 1 << 20;
/** Of a request, a write's data apart: sixteen names of 255 bytes, or a link's text. */
export const REQUEST_MAX_BYTES = 16 << 10;
export const NAMES_PER_WALK = 16;
export const FIDS_MAX = 1 << 16;
/** Files of the host that one guest keeps open. */
export const OPEN_FILES_MAX = 1024;
/** Names of folders that are being read, of all fids together; beyond it the oldest folder is read anew. */
export const LISTED_NAMES_MAX = 1 << 18;

/** Of all fids together, in a saved state. */
export const SAVED_PATHS_MAX_BYTES = 4 << 20;

export const NO_UID = 0xffff_ffff;
export const QID = { FOLDER: 0x80, LINK: 0x02, FILE: 0 } as const;
export const QID_BYTES = 13;

/** stat(2), st_mode. What is neither is shown as a socket, which guests do not try to read. */
export const MODE_KIND = { mask: 0o170000, file: 0o100000, folder: 0o040000, link: 0o120000, other: 0o140000 } as const;
/** readdir(3), d_type. */
export const ENTRY_TYPE = { file: 8, folder: 4, link: 10, other: 12 } as const;

/** Linux's open flags, as generic architectures number them. */
export const OPEN = {
  ACCESS: 3,
  WRITE_ONLY: 1,
  READ_WRITE: 2,
  EXCLUSIVE: 0o200,
  TRUNCATE: 0o1000,
  DSYNC: 0o10000,
  DIRECTORY: 0o200000,
  SYNC: 0o4000000,
} as const;
/** Of a fid's flags, what is used again when its file is opened anew. */
export const LASTING_FLAGS = OPEN.ACCESS | OPEN.DSYNC | OPEN.SYNC;

/** Everything up to the number of blocks. */
export const GETATTR_BASIC = 0x7ffn;
export const SETATTR = { MODE: 1, SIZE: 8, ATIME: 0x10, MTIME: 0x20, ATIME_SET: 0x80, MTIME_SET: 0x100 } as const;
export const UNLINK_FOLDER = 0x200;
export const LOCK = { SUCCESS: 0, UNLOCKED: 2 } as const;
export const V9FS_MAGIC = 0x0102_1997;
export const NAME_MAX_BYTES = 255;
export const PATH_MAX_BYTES = 4096;
