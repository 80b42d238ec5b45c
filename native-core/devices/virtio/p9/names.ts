// Names as a guest may give them. Whatever is not one plain name of a folder's entry is refused here, before any host sees it.
import { type FilePath, ShareError } from "./file-share.ts";
import { NAME_MAX_BYTES, PATH_MAX_BYTES } from "./protocol.ts";
import { textBytes } from "./wire.ts";

/** Of an entry to be looked for, made or removed. Throws ShareError. */
export function checkName(name: string): string {
  if (!isPlainName(name)) throw new ShareError(name === "" ? "ENOENT" : "EINVAL");
  if (textBytes(name).length > NAME_MAX_BYTES) throw new ShareError("ENAMETOOLONG");
  return name;
}

/** Throws ShareError. */
export function childOf(path: FilePath, name: string): FilePath {
  const child = [...path, checkName(name)];
  // Every name with a slash: what a host's system call takes at most.
  if (child.reduce((sum, each) => sum + textBytes(each).length + 1, 0) > PATH_MAX_BYTES) {
    throw new ShareError("ENAMETOOLONG");
  }
  return child;
}

export function isPlainPath(path: FilePath): boolean {
  return path.every((name) => isPlainName(name) && textBytes(name).length <= NAME_MAX_BYTES);
}

function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
}

export function startsWith(path: FilePath, start: FilePath): boolean {
  return start.length <= path.length && start.every((name, index) => path[index] === name);
}
