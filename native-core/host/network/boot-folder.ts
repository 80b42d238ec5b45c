// Files that a machine may fetch by TFTP: those below one folder, and nothing that links out of it.
import { open, realpath } from "node:fs/promises";
import { isAbsolute, join, normalize, sep } from "node:path";

/** Files are held in memory while they are sent; kernels and their RAM disks fit. */
const MAX_BYTES = 128 << 20;

/** Undefined for what is not a file of the folder, or too large for it. `name` is the guest's. */
export async function readBootFile(folder: string, name: string): Promise<Uint8Array | undefined> {
  const inside = normalize(name.replace(/\\/g, "/").replace(/^\/+/, ""));
  if (inside.startsWith("..") || isAbsolute(inside) || inside.includes("\0")) return undefined;
  try {
    const root = await realpath(folder);
    const path = await realpath(join(root, inside));
    if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
    const file = await open(path, "r");
    try {
      const { size, isFile } = await file.stat().then((stat) => ({ size: stat.size, isFile: stat.isFile() }));
      return isFile && size <= MAX_BYTES ? await file.readFile() : undefined;
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}
