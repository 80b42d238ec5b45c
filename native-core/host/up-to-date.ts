// Whether what was built from sources still is what they say.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Whether a built file is there and nothing in the folders is younger. */
export function isUpToDate(file: string, folders: readonly string[]): boolean {
  try {
    const { mtimeMs } = statSync(file);
    return folders.every((folder) => newest(folder) <= mtimeMs);
  } catch {
    return false;
  }
}

function newest(folder: string): number {
  const times = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs);
  return Math.max(0, ...times);
}
