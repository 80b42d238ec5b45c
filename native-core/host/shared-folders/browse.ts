// A shared folder as the manager shows it: reached as for guests, since what guests put into it, links above all, must lead no further
// for the manager than for them.
import { AppError } from "../../common/errors.ts";
import type { SharedFolderConfig } from "../../config/shared-folders.ts";
import type { FileKind, FilePath } from "../../devices/virtio/p9/file-share.ts";
import { childOf } from "../../devices/virtio/p9/names.ts";
import { fileError } from "../file-error.ts";
import { FolderShare } from "./folder-share.ts";

const ENTRIES_MAX = 5000;

interface SharedEntry {
  readonly name: string;
  readonly path: string;
  readonly kind: FileKind;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** What is in a folder; `path` starts with a slash, which is the shared folder itself. @throws AppError NOT_FOUND, ... */
export function listShared(folder: SharedFolderConfig, path: string): Promise<SharedEntry[]> {
  return within(folder, path, async (share, names) => {
    const entries = (await share.list(names)).slice(0, ENTRIES_MAX);
    const found = entries.map(async ({ name }) => {
      const child = childOf(names, name);
      // It may be gone by now.
      const attributes = await share.attributes(child).catch(() => undefined);
      if (!attributes) return [];
      const { kind, sizeBytes, modifiedNs } = attributes;
      return [{ name, path: `/${child.join("/")}`, kind, sizeBytes, modifiedMs: Number(modifiedNs / 1_000_000n) }];
    });
    return (await Promise.all(found)).flat();
  });
}

/** At most `length` bytes of a regular file; fewer at its end. @throws AppError NOT_FOUND, ... */
export function readShared(
  folder: SharedFolderConfig,
  path: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  return within(folder, path, async (share, names) => {
    if ((await share.attributes(names)).kind !== "file") {
      throw new AppError("INVALID_FILE", `${path} is not a regular file`, { file: path, field: "path" });
    }
    const file = await share.open(names, { read: true, write: false, truncate: false, synchronous: false });
    const bytes = new Uint8Array(length);
    try {
      return bytes.subarray(0, await file.read(offset, [bytes]));
    } finally {
      await file.close();
    }
  });
}

async function within<R>(
  folder: SharedFolderConfig,
  path: string,
  work: (share: FolderShare, names: FilePath) => Promise<R>,
): Promise<R> {
  const share = new FolderShare(folder);
  try {
    const names = path
      .split("/")
      .filter((name) => name !== "")
      .reduce<FilePath>(childOf, []);
    return await work(share, names);
  } catch (error) {
    const details = { field: "path", remedy: "Check the path, and whether the folder is still there." };
    // A share's errors have their name as message and nothing else.
    const coded = error instanceof Error && !("code" in error) ? Object.assign(error, { code: error.message }) : error;
    throw fileError(coded, folder.path + path, details);
  } finally {
    await share.close();
  }
}
