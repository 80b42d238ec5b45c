// What the disk of a folder still takes.
import { statfs } from "node:fs/promises";

/** Bytes that may be written there. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
