// The server-side file picker: lists one folder of the host. Names, kinds and sizes only; contents never leave through it.
import { readdir, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import { ioFailure } from "../../store/io-error.ts";

export interface FolderListing {
  readonly folder: string;
  readonly parent: string | null;
  readonly entries: { name: string; path: string; kind: "folder" | "file"; sizeBytes: number }[];
}

const ENTRIES_MAX = 5000;

export async function browse(wanted: string | null): Promise<FolderListing> {
  const folder = path.normalize(wanted ?? os.homedir());
  if (!path.isAbsolute(folder)) {
    throw new AppError("INVALID_ARGUMENT", `The path has to be absolute: ${folder}`, { file: folder, field: "folder" });
  }
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw ioFailure(error, folder, { field: "folder", consequence: "The folder can't be shown." });
  }
  const entries: FolderListing["entries"] = [];
  for (const name of names.slice(0, ENTRIES_MAX)) {
    const entry = path.join(folder, name);
    // What can't be looked at (dangling links, no permission) can't be chosen either.
    const found = await stat(entry).catch(() => null);
    if (found?.isDirectory()) entries.push({ name, path: entry, kind: "folder", sizeBytes: 0 });
    else if (found?.isFile()) entries.push({ name, path: entry, kind: "file", sizeBytes: found.size });
  }
  entries.sort((a, b) => (a.kind === b.kind ? a.name.localeCompare(b.name) : a.kind === "folder" ? -1 : 1));
  const parent = path.dirname(folder);
  return { folder, parent: parent === folder ? null : parent, entries };
}
