// Durability of names: a file that was made or renamed is only safe from a power failure when its folder is synced.
import { closeSync, existsSync, fsyncSync, openSync } from "node:fs";

/** Makes names in a folder durable. Windows has no such call and needs none. */
export function syncFolder(folder: string): void {
  if (process.platform === "win32" || !existsSync(folder)) return;
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
