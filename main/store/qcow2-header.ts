// The facts of a qcow2 header that are wanted without opening the image: which file it stands on and how large the disk is. Neither
// changes while a machine runs, so no lock is needed. Everything else is native-core/media's.
// Layout (qcow2 specification, "Header"): magic 0, version 4, backing_file_offset 8, backing_file_size 16, size 24; big-endian.
import { open, stat } from "node:fs/promises";
import path from "node:path";

const MAGIC = 0x514649fb;
const BACKING_NAME_MAX = 1023;

/**
 * The backing file's absolute path, or `file: null` for an image that stands alone (raw ones do too).
 * Null when the file is missing or can't be read: then nothing is known of what it stands on.
 */
export async function readBacking(image: string, format: string): Promise<{ readonly file: string | null } | null> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(image, "r");
  } catch {
    return null;
  }
  try {
    if (format === "raw") return { file: null };
    const header = Buffer.alloc(20);
    const { bytesRead } = await handle.read(header, 0, 20, 0);
    if (bytesRead < 20 || header.readUInt32BE(0) !== MAGIC) return null;
    const offset = header.readBigUInt64BE(8);
    const length = header.readUInt32BE(16);
    if (offset === 0n || length === 0) return { file: null };
    if (length > BACKING_NAME_MAX || offset > BigInt(Number.MAX_SAFE_INTEGER)) return null;
    const name = Buffer.alloc(length);
    const read = await handle.read(name, 0, length, Number(offset));
    return read.bytesRead < length ? null : { file: path.resolve(path.dirname(image), name.toString("utf8")) };
  } catch {
    return null;
  } finally {
    await handle.close();
  }
}

/** What the guest sees, in bytes; null when it can't be read. */
export async function readDiskSize(image: string, format: string): Promise<number | null> {
  try {
    if (format === "raw") return (await stat(image)).size;
    const handle = await open(image, "r");
    try {
      const header = Buffer.alloc(32);
      const { bytesRead } = await handle.read(header, 0, 32, 0);
      return bytesRead < 32 || header.readUInt32BE(0) !== MAGIC ? null : Number(header.readBigUInt64BE(24));
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}

/** Layers of up to this many L1 entries (2 TiB) are looked through; a larger one counts as written. */
const L1_MAX_ENTRIES = 4096;

/** Whether this layer itself holds anything: false for an overlay that nobody wrote to. True when that can't be told. */
export async function hasOwnData(image: string): Promise<boolean> {
  try {
    const handle = await open(image, "r");
    try {
      const header = Buffer.alloc(48);
      const { bytesRead } = await handle.read(header, 0, 48, 0);
      const entries = header.readUInt32BE(36);
      if (bytesRead < 48 || header.readUInt32BE(0) !== MAGIC || entries > L1_MAX_ENTRIES) return true;
      const table = Buffer.alloc(entries * 8);
      const read = await handle.read(table, 0, table.length, Number(header.readBigUInt64BE(40)));
      return read.bytesRead < table.length || table.some((byte) => byte !== 0);
    } finally {
      await handle.close();
    }
  } catch {
    return true;
  }
}
