// A folder of the host as guests have it: FileShare over the host's file system. Everything is done with the rights of the host's user
// who runs the machine, and belongs to them.
import {
  type BigIntStats,
  type BigIntStatsFs,
  chmod,
  close,
  constants,
  type Dirent,
  fchmod,
  fsync,
  link,
  lstat,
  lstatSync,
  lutimes,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rmdir,
  statfs,
  symlink,
  unlink,
} from "node:fs";
import {
  type AttributeChanges,
  type FileAttributes,
  type FilePath,
  type FileShare,
  type FileSystemFacts,
  type FolderEntry,
  type OpenFile,
  type OpenMode,
  ShareError,
} from "../../devices/virtio/p9/file-share.ts";
import { Patience } from "../patience.ts";
import { attributesOf, kindOf } from "./attributes.ts";
import { type FolderAccess, folderAccess, type HostFolder, O_PATH } from "./folder-access.ts";
import { NodeFile, newTimes, openFlags } from "./node-file.ts";
import { hostCall } from "./share-errors.ts";

export interface SharedFolder {
  readonly name: string;
  /** Of the folder on the host; absolute. It may come and go. */
  readonly path: string;
  readonly readOnly: boolean;
}

export class FolderShare implements FileShare {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly #access: FolderAccess;
  readonly #patience = new Patience();

  constructor({ name, path, readOnly }: SharedFolder) {
    this.name = name;
    this.path = path;
    this.readOnly = readOnly;
    this.#access = folderAccess(path);
  }

  attributes(path: FilePath): Promise<FileAttributes> {
    return this.#at(path, attributesAt);
  }

  attributesNow(path: FilePath): FileAttributes | undefined {
    const folder = this.#access.folderNow(path.slice(0, -1));
    const stats = folder && this.#patience.try(() => lstatNow(placeIn(folder, path)));
    if (stats === "nothing") throw new ShareError("ENOENT");
    return stats && attributesOf(stats);
  }

  facts(): Promise<FileSystemFacts> {
    return this.#access.inFolder([], async ({ self }) => {
      const facts = await hostCall<BigIntStatsFs>((done) => statfs(self, { bigint: true }, done));
      return {
        blockBytes: Number(facts.bsize),
        ...{ blocks: facts.blocks, freeBlocks: facts.bfree, availableBlocks: facts.bavail },
        ...{ files: facts.files, freeFiles: facts.ffree },
      };
    });
  }

  open(path: FilePath, mode: OpenMode): Promise<OpenFile> {
    return this.#at(path, (place) => NodeFile.open(place, openFlags(mode)));
  }

  create(path: FilePath, mode: OpenMode, permissions: number, exclusive: boolean): Promise<OpenFile> {
    const flags = openFlags(mode) | constants.O_CREAT | (exclusive ? constants.O_EXCL : 0);
    return this.#at(path, (place) => NodeFile.open(place, flags, permissions));
  }

  list(path: FilePath): Promise<FolderEntry[]> {
    return this.#access.inFolder(path, async ({ self }) => {
      const entries = await hostCall<Dirent[]>((done) => readdir(self, { withFileTypes: true }, done));
      // Names that are not UTF-8 can't be told apart here.
      return entries
        .filter(({ name }) => !name.includes("\ufffd"))
        .map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
    });
  }

  makeFolder(path: FilePath, permissions: number): Promise<void> {
    return this.#at(path, (place) => hostCall((done) => mkdir(place, permissions, (error) => done(error))));
  }

  async remove(path: FilePath, folder: boolean): Promise<void> {
    await this.#at(path, (place) => hostCall<void>((done) => (folder ? rmdir : unlink)(place, done)));
    if (folder) this.#access.forget(path);
  }

  async rename(from: FilePath, to: FilePath): Promise<void> {
    await this.#at(from, (fromPlace) =>
      this.#at(to, (toPlace) => hostCall<void>((done) => rename(fromPlace, toPlace, done))),
    );
    this.#access.forget(from);
    this.#access.forget(to);
  }

  makeLink(path: FilePath, target: string): Promise<void> {
    return this.#at(path, (place) => hostCall((done) => symlink(target, place, done)));
  }

  readLink(path: FilePath): Promise<string> {
    return this.#at(path, (place) => hostCall((done) => readlink(place, done)));
  }

  hardLink(existing: FilePath, path: FilePath): Promise<void> {
    return this.#at(existing, async (place) => {
      // Some hosts would follow a symbolic link here.
      if ((await attributesAt(place)).kind !== "file") throw new ShareError("EPERM");
      await this.#at(path, (newPlace) => hostCall<void>((done) => link(place, newPlace, done)));
    });
  }

  change(path: FilePath, changes: AttributeChanges): Promise<void> {
    const { mode, sizeBytes, accessedNs, modifiedNs } = changes;
    return this.#at(path, async (place) => {
      if (sizeBytes !== undefined) {
        const file = await NodeFile.open(place, constants.O_WRONLY);
        try {
          await file.change({ sizeBytes });
        } finally {
          await file.close();
        }
      }
      if (mode !== undefined) await changeMode(place, mode);
      if (accessedNs === undefined && modifiedNs === undefined) return;
      const [accessed, modified] = await newTimes({ accessedNs, modifiedNs }, () => attributesAt(place));
      await hostCall<void>((done) => lutimes(place, accessed, modified, done));
    });
  }

  syncFolder(path: FilePath): Promise<void> {
    // Windows has no such call and needs none.
    if (process.platform === "win32") return Promise.resolve();
    return this.#access.inFolder(path, async ({ self }) => {
      const fd = await hostCall<number>((done) => open(self, constants.O_RDONLY, done));
      await hostCall<void>((done) => fsync(fd, done)).finally(() => close(fd, () => {}));
    });
  }

  /** Lets go of the host's folders; open files are the guest's. */
  close(): Promise<void> {
    return this.#access.close();
  }

  /** Calls `work` with the name by which the host reaches an entry, or the shared folder itself. */
  #at<R>(path: FilePath, work: (place: string) => Promise<R>): Promise<R> {
    return this.#access.inFolder(path.slice(0, -1), (folder) => work(placeIn(folder, path)));
  }
}

function placeIn({ self, entry }: HostFolder, path: FilePath): string {
  const name = path.at(-1);
  return name === undefined ? self : entry(name);
}

const lstatNow = (place: string): BigIntStats | "nothing" =>
  lstatSync(place, { bigint: true, throwIfNoEntry: false }) ?? "nothing";

async function attributesAt(place: string): Promise<FileAttributes> {
  return attributesOf(await hostCall<BigIntStats>((done) => lstat(place, { bigint: true }, done)));
}

/** `chmod` follows links, so the file is taken hold of first, without opening it where that can be had. */
async function changeMode(place: string, mode: number): Promise<void> {
  const isLinux = process.platform === "linux";
  const flags = constants.O_NOFOLLOW | (isLinux ? O_PATH : constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = await hostCall<number>((done) => open(place, flags, done));
  try {
    await hostCall<void>((done) => (isLinux ? chmod(`/proc/self/fd/${fd}`, mode, done) : fchmod(fd, mode, done)));
  } finally {
    close(fd, () => {});
  }
}
