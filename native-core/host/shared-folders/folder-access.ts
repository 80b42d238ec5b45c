// How the host reaches what lies below a shared folder, and nothing else, whatever guests put into it meanwhile.
//
// Linux: a folder is opened without using it (O_PATH), and the kernel is asked where it really is; if that is not the path that was
// meant, a symbolic link was in the way, or the folder has moved. From then on entries are named relative to the open folder
// (/proc/self/fd/N/name), so that nobody can put a link in between any more; calls on such names never follow the last one.
//
// Elsewhere the real path is asked for before each call. There a link that comes in between is followed: it takes two guests, or a guest
// and a program of the host, that work together on one folder (docs/adr/0044).
import { close, constants, fstat, open, readlink, realpath, stat } from "node:fs";
import { sep } from "node:path";
import { type FilePath, ShareError } from "../../devices/virtio/p9/file-share.ts";
import { startsWith } from "../../devices/virtio/p9/names.ts";
import { hostCall } from "./share-errors.ts";

/** Not in Node's constants (Linux, asm-generic/fcntl.h). */
export const O_PATH = 0o10000000;
/** For so long an open folder is taken for what it was, should somebody else have moved it. */
const TRUSTED_MS = 1000;
const FOLDERS_MAX = 128;

/** A place in the host's file system that names something below the shared folder: `entry(name)` in a folder, or the folder itself. */
export interface HostFolder {
  readonly self: string;
  entry(name: string): string;
}

export interface FolderAccess {
  /** Calls `work` with a folder that stays what it is until the end of it. Rejects with ShareError. */
  inFolder<R>(path: FilePath, work: (folder: HostFolder) => Promise<R>): Promise<R>;
  /** The same for work that ends at once, if the folder is at hand. */
  folderNow(path: FilePath): HostFolder | undefined;
  /** Folders at this path and below it are not there any more. */
  forget(path: FilePath): void;
  close(): Promise<void>;
}

export function folderAccess(root: string): FolderAccess {
  return process.platform === "linux" ? new PinnedFolders(root) : new CheckedFolders(root);
}

interface Pinned {
  readonly path: FilePath;
  readonly fd: number;
  checkedMs: number;
  uses: number;
  isForgotten: boolean;
}

/** Linux: folders kept open, least recently used first. */
class PinnedFolders implements FolderAccess {
  readonly #root: string;
  readonly #folders = new Map<string, Pinned>();

  constructor(root: string) {
    this.#root = root;
  }

  async inFolder<R>(path: FilePath, work: (folder: HostFolder) => Promise<R>): Promise<R> {
    const pinned = await this.#pin(path);
    try {
      return await work(hostFolder(pinned));
    } finally {
      pinned.uses--;
      this.#closeIfIdle(pinned);
    }
  }

  folderNow(path: FilePath): HostFolder | undefined {
    const pinned = this.#folders.get(path.join("/"));
    return pinned && performance.now() - pinned.checkedMs < TRUSTED_MS ? hostFolder(pinned) : undefined;
  }

  forget(path: FilePath): void {
    for (const [key, pinned] of this.#folders) if (startsWith(pinned.path, path)) this.#drop(key, pinned);
  }

  async close(): Promise<void> {
    this.forget([]);
  }

  /** An open folder with one more use. */
  async #pin(path: FilePath): Promise<Pinned> {
    const key = path.join("/");
    const known = this.#folders.get(key);
    if (known) {
      known.uses++;
      if (performance.now() - known.checkedMs < TRUSTED_MS || (await this.#isStill(known))) {
        if (!known.isForgotten) {
          this.#folders.delete(key);
          this.#folders.set(key, known);
        }
        return known;
      }
      this.#drop(key, known);
      // Several may wait for the same look at a folder: the last of them closes it.
      known.uses--;
      this.#closeIfIdle(known);
    }
    const pinned = { path, fd: await this.#open(path), checkedMs: performance.now(), uses: 1, isForgotten: false };
    const other = this.#folders.get(key);
    if (other) this.#drop(key, other);
    this.#folders.set(key, pinned);
    for (const [oldest, each] of this.#folders) {
      if (this.#folders.size <= FOLDERS_MAX) break;
      this.#drop(oldest, each);
    }
    return pinned;
  }

  async #open(path: FilePath): Promise<number> {
    if (path.length === 0) return hostCall((done) => open(this.#root, O_PATH | constants.O_DIRECTORY, done));
    return this.#withRoot(async (root) => {
      const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
      const fd = await hostCall<number>((done) => open(`/proc/self/fd/${root.fd}/${path.join("/")}`, flags, done));
      if (await isAt(fd, root.fd, path)) return fd;
      closeNow(fd);
      // Linux says this of a link where a folder should be.
      throw new ShareError("ENOTDIR");
    });
  }

  /** Whether an open folder is where it was. */
  async #isStill(pinned: Pinned): Promise<boolean> {
    const { path, fd } = pinned;
    const isSame =
      path.length === 0
        ? await this.#isRoot(fd)
        : await this.#withRoot((root) => isAt(fd, root.fd, path)).catch(() => false);
    if (isSame) pinned.checkedMs = performance.now();
    return isSame;
  }

  /** The folder may have been exchanged, or something mounted on it. */
  async #isRoot(fd: number): Promise<boolean> {
    try {
      const [now, then] = await Promise.all([
        hostCall<{ dev: number; ino: number }>((done) => stat(this.#root, done)),
        hostCall<{ dev: number; ino: number }>((done) => fstat(fd, done)),
      ]);
      return now.dev === then.dev && now.ino === then.ino;
    } catch {
      return false;
    }
  }

  async #withRoot<R>(work: (root: Pinned) => Promise<R>): Promise<R> {
    const root = await this.#pin([]);
    try {
      return await work(root);
    } finally {
      root.uses--;
      this.#closeIfIdle(root);
    }
  }

  #drop(key: string, pinned: Pinned): void {
    if (this.#folders.get(key) === pinned) this.#folders.delete(key);
    if (pinned.isForgotten) return;
    pinned.isForgotten = true;
    this.#closeIfIdle(pinned);
  }

  #closeIfIdle(pinned: Pinned): void {
    if (pinned.isForgotten && pinned.uses === 0) closeNow(pinned.fd);
  }
}

const hostFolder = ({ fd }: Pinned): HostFolder => ({
  self: `/proc/self/fd/${fd}/.`,
  entry: (name) => `/proc/self/fd/${fd}/${name}`,
});

/** Whether an open folder lies where `path` leads from the root without a link. */
async function isAt(fd: number, root: number, path: FilePath): Promise<boolean> {
  const [place, start] = await Promise.all([placeOf(fd), placeOf(root)]);
  return place === `${start === "/" ? "" : start}/${path.join("/")}`;
}

const placeOf = (fd: number): Promise<string> => hostCall((done) => readlink(`/proc/self/fd/${fd}`, done));

function closeNow(fd: number): void {
  close(fd, () => {});
}

/** Other systems. */
class CheckedFolders implements FolderAccess {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async inFolder<R>(path: FilePath, work: (folder: HostFolder) => Promise<R>): Promise<R> {
    if (process.platform === "win32" && !path.every(isWindowsName)) throw new ShareError("ENOENT");
    const root = await hostCall<string>((done) => realpath.native(this.#root, done));
    const start = root.endsWith(sep) ? root.slice(0, -1) : root;
    const meant = [start, ...path].join(sep);
    if (path.length > 0 && (await hostCall<string>((done) => realpath.native(meant, done))) !== meant) {
      throw new ShareError("ENOTDIR");
    }
    const entry = (name: string): string => {
      if (process.platform === "win32" && !isWindowsName(name)) throw new ShareError("ENOENT");
      return meant + sep + name;
    };
    return work({ self: meant === "" ? sep : meant, entry });
  }

  folderNow(): undefined {}

  forget(): void {}

  async close(): Promise<void> {}
}

/** Not an alternate stream, a device, or a name that Windows takes for another one. */
function isWindowsName(name: string): boolean {
  return (
    !/[\\:*?"<>|\p{Cc}]/u.test(name) && !/[. ]$/.test(name) && !/^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(name)
  );
}
