// Which files of unpacked packages go into a package of the installer.
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";

/** Files below these folders whose paths match, by their paths in the system. */
export async function filesOf(folders: readonly string[], wanted: RegExp): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const folder of folders) {
    for (const item of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const file = join(item.parentPath, item.name);
      if (!item.isDirectory() && wanted.test(file)) found.set(relative(folder, file), file);
    }
  }
  if (found.size === 0) throw new Error(`${folders.join(", ")} have no ${wanted}`);
  return found;
}
