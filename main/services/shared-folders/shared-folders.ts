// Folders of this host that machines share with their guests: which may be shared, how a running guest gets them, and what is in them.
import { realpath, stat } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { SharedFolderConfig } from "../../../native-core/config/shared-folders.ts";
import { listShared, readShared } from "../../../native-core/host/shared-folders/browse.ts";
import type { SharedListing } from "../../contract/schemas.ts";
import { ioFailure } from "../../store/io-error.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";

/** One answer to a request for a part of a file. */
const PIECE_BYTES = 1 << 20;

/** Brings other folders to a machine, before they are recorded. @throws AppError, with everything as before */
export async function applySharedFolders(
  context: ServiceContext,
  machine: Machine,
  folders: readonly SharedFolderConfig[],
): Promise<void> {
  const known = machine.record.config.sharedFolders;
  for (const [index, folder] of folders.entries()) {
    if (known.some((each) => each.path === folder.path)) continue;
    await checkFolder(context, folder.path, `sharedFolders.${index}.path`);
  }
  await machine.vm?.client.request("shareFolders", { folders: [...folders] });
}

/** A folder that is there, and has nothing to do with Terrarium's own data: a guest that could write there would be master of all. */
async function checkFolder(context: ServiceContext, folder: string, field: string): Promise<void> {
  const details = { file: folder, field, consequence: "Nothing was changed." };
  let real: string;
  try {
    real = await realpath(folder);
    if (!(await stat(real)).isDirectory()) {
      throw new AppError("INVALID_CONFIG", `It is no folder: ${folder}`, { ...details, remedy: "Choose a folder." });
    }
  } catch (error) {
    throw ioFailure(error, folder, details);
  }
  const own = await realpath(context.store.data.root);
  if (!isWithin(own, real) && !isWithin(real, own)) return;
  throw new AppError("INVALID_CONFIG", `This folder holds Terrarium's own data: ${folder}`, {
    ...details,
    remedy: "Share a folder beside it or below it that has none of that data.",
  });
}

function isWithin(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  return relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative));
}

export async function listSharedFolder(machine: Machine, name: string, folder: string): Promise<SharedListing> {
  const entries = await listShared(sharedFolder(machine, name), folder);
  const rank = (kind: string): number => (kind === "folder" ? 0 : 1);
  entries.sort((a, b) => rank(a.kind) - rank(b.kind) || a.name.localeCompare(b.name));
  return { entries };
}

export async function readSharedFile(
  machine: Machine,
  name: string,
  file: string,
  offset: number,
): Promise<{ base64: string; nextOffset: number | null }> {
  const bytes = await readShared(sharedFolder(machine, name), file, offset, PIECE_BYTES);
  const nextOffset = bytes.length < PIECE_BYTES ? null : offset + bytes.length;
  return { base64: Buffer.from(bytes).toString("base64"), nextOffset };
}

function sharedFolder(machine: Machine, name: string): SharedFolderConfig {
  const found = machine.record.config.sharedFolders.find((folder) => folder.name === name);
  if (found) return found;
  throw new AppError("NOT_FOUND", `"${machine.name}" shares no folder ${name}`, {
    field: "name",
    remedy: "List the folders that it shares.",
  });
}
