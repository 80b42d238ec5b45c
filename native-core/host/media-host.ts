// What media/ needs of this host: files, paths, the policy for backing files, and zlib.
import { realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { inflateRaw, zstdDecompress } from "node:zlib";
import { AppError } from "../common/errors.ts";
import type { MediaHost } from "../media/chain.ts";
import type { Decompressors } from "../media/qcow2/decompress.ts";
import { EncryptedFile } from "./crypt/encrypted-file.ts";
import { openLuks } from "./crypt/luks.ts";
import { fileError } from "./file-error.ts";
import type { LockKind } from "./file-lock.ts";
import { NodeImageFile } from "./node-image-file.ts";

const inflateRawAsync = promisify(inflateRaw);
const zstdDecompressAsync = promisify(zstdDecompress);

export const nodeDecompressors: Decompressors = {
  async inflateRaw(input, length) {
    const data = await inflateRawAsync(input, { maxOutputLength: length });
    if (data.length !== length) throw new Error("the data is shorter than a cluster");
    return data;
  },
  async zstd(input, length) {
    const data = await zstdDecompressAsync(input, { maxOutputLength: length });
    if (data.length !== length) throw new Error("the data is shorter than a cluster");
    return data;
  },
};

export interface MediaHostOptions {
  /**
   * Folders whose images Terrarium made itself (the store): they may name backing files anywhere, because it was Terrarium that
   * put the names there. An image elsewhere may only name files in its own folder or below it.
   */
  readonly trustedFolders: readonly string[];
  /** Lock for writable files; `m` while merging layers that others may be reading. */
  readonly writeLock?: LockKind;
  /** What opens the encrypted image at a canonical path; undefined where that is not known. */
  readonly secretOf?: (path: string) => string | undefined;
}

/** As MediaHost, with files of this host. */
export interface NodeMediaHost extends MediaHost {
  openFile(path: string, readOnly: boolean): Promise<NodeImageFile>;
}

export function nodeMediaHost(options: MediaHostOptions): NodeMediaHost {
  const trusted = Promise.all(options.trustedFolders.map(canonical));
  return {
    decompressors: nodeDecompressors,
    openFile: async (path, readOnly) =>
      NodeImageFile.open(await canonical(path), { readOnly, ...(readOnly ? {} : { lock: options.writeLock ?? "w" }) }),
    resolveBacking: (path, name) => canonical(resolve(dirname(path), name)),
    async allowsBacking(path, backingPath) {
      const folder = dirname(await canonical(path));
      if (isInside(folder, backingPath)) return true;
      return (await trusted).some((root) => isInside(root, folder));
    },
    async decrypted(path, file, { offset, length }) {
      const secret = options.secretOf?.(path);
      if (secret === undefined) throw lockedImage(path);
      return new EncryptedFile(file, await openLuks(file, offset, length, secret));
    },
  };
}

function lockedImage(path: string): AppError {
  return new AppError("PERMISSION_DENIED", `${path} is encrypted`, {
    file: path,
    field: "encryption",
    consequence: "The image was not opened and nothing was changed.",
    remedy: "Unlock the machine with its passphrase first.",
  });
}

/** `path` without symbolic links. */
export async function canonical(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw fileError(error, path);
  }
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === "" || (!isAbsolute(way) && way !== ".." && !way.startsWith(join("..", "/")));
}
