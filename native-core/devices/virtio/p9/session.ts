// What the requests of one guest have in common: its fids, the shared folders they lie in, and files opened at the host.
import { type Fid, FidTable, type Place } from "./fids.ts";
import { type FileAttributes, type FileShare, type OpenFile, type OpenMode, ShareError } from "./file-share.ts";
import { HeldFile, OpenFileCount } from "./open-files.ts";
import { LASTING_FLAGS, MODE_KIND, MSIZE_MIN, OPEN, QID } from "./protocol.ts";
import type { FieldWriter } from "./wire.ts";

/** Of the tree's root; no file system gives it to a file. */
const ROOT_ID = (1n << 64n) - 1n;

export class Session {
  readonly fids = new FidTable();
  readonly #open = new OpenFileCount();
  #shares: ReadonlyMap<string, FileShare> = new Map();
  #changedNs = 0n;
  /** Bytes of a message, as agreed with the driver. */
  msize = MSIZE_MIN;

  get shares(): ReadonlyMap<string, FileShare> {
    return this.#shares;
  }

  /** Other shared folders from now on. Settles when those that are gone are at rest. */
  async setShares(shares: readonly FileShare[], nowMs: number): Promise<void> {
    const before = this.#shares;
    this.#shares = new Map(shares.map((share) => [share.name, share]));
    this.#changedNs = BigInt(Math.trunc(nowMs)) * 1_000_000n;
    await this.fids.closeFiles((name) => before.get(name) !== this.#shares.get(name));
  }

  /** Throws ShareError: EROFS in the tree's root, ESTALE where the folder is not shared any more. */
  shareOf({ share: name }: Place): FileShare {
    if (name === null) throw new ShareError("EROFS");
    const share = this.#shares.get(name);
    if (!share) throw new ShareError("ESTALE");
    return share;
  }

  /** Throws ShareError EROFS, too, where nothing may be changed. */
  writableShareOf(place: Place): FileShare {
    const share = this.shareOf(place);
    if (share.readOnly) throw new ShareError("EROFS");
    return share;
  }

  attributesAt(place: Place): Promise<FileAttributes> {
    if (place.share === null) return Promise.resolve(this.#root());
    return this.shareOf(place).attributes(place.path);
  }

  /** Undefined where it has to be waited for. Throws ShareError. */
  attributesNow(place: Place): FileAttributes | undefined {
    return place.share === null ? this.#root() : this.shareOf(place).attributesNow?.(place.path);
  }

  /** Of an open file, also where it has lost its name. */
  attributes(fid: Fid): Promise<FileAttributes> {
    return fid.file ? fid.file.attributes() : this.attributesAt(fid.place);
  }

  /** Opens the host's file for a fid that stays as it is. Rejects with ShareError. */
  async open(fid: Fid, open: (share: FileShare) => Promise<OpenFile>, writes: boolean): Promise<HeldFile> {
    const share = writes ? this.writableShareOf(fid.place) : this.shareOf(fid.place);
    const { life } = fid;
    this.#open.take();
    try {
      const held = new HeldFile(await open(share), this.#open);
      if (fid.life === life) return held;
      void held.close();
    } catch (error) {
      this.#open.release();
      throw error;
    }
    throw new ShareError("ESTALE");
  }

  /** The file that a fid has open; opened anew where the host has let go of it. Rejects with ShareError. */
  fileOf(fid: Fid): Promise<HeldFile> {
    if (fid.file) return Promise.resolve(fid.file);
    const { flags } = fid;
    if (flags === null) return Promise.reject(new ShareError("EBADF"));
    const mode = openMode(flags & LASTING_FLAGS);
    const open = async (): Promise<HeldFile> => {
      const { kind } = await this.attributesAt(fid.place);
      if (kind === "folder") throw new ShareError("EISDIR");
      return this.open(fid, (share) => share.open(fid.place.path, mode), mode.write);
    };
    fid.opening ??= open()
      .then((file) => {
        fid.file = file;
        return file;
      })
      .catch((error: unknown) => {
        fid.opening = undefined;
        throw isGone(error) ? new ShareError("ESTALE") : error;
      });
    return fid.opening;
  }

  #root(): FileAttributes {
    return {
      ...{ kind: "folder", id: ROOT_ID, mode: 0o755, links: 2 + this.#shares.size, sizeBytes: 0 },
      ...{ blockBytes: 4096, blocks: 0 },
      ...{ accessedNs: this.#changedNs, modifiedNs: this.#changedNs, changedNs: this.#changedNs },
    };
  }
}

function isGone(error: unknown): boolean {
  return error instanceof ShareError && ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"].includes(error.message);
}

/** What Linux's open flags ask for. */
export function openMode(flags: number): OpenMode {
  const access = flags & OPEN.ACCESS;
  return {
    read: access !== OPEN.WRITE_ONLY,
    write: access === OPEN.WRITE_ONLY || access === OPEN.READ_WRITE,
    truncate: (flags & OPEN.TRUNCATE) !== 0,
    synchronous: (flags & (OPEN.DSYNC | OPEN.SYNC)) !== 0,
  };
}

/** qid: its version changes whenever the file's content may have. */
export function writeQid(writer: FieldWriter, { kind, id, modifiedNs, sizeBytes }: FileAttributes): FieldWriter {
  const type = kind === "folder" ? QID.FOLDER : kind === "link" ? QID.LINK : QID.FILE;
  const version = Number(BigInt.asUintN(32, (modifiedNs >> 8n) ^ BigInt(sizeBytes)));
  return writer.u8(type).u32(version).u64(id);
}

export const modeOf = ({ kind, mode }: FileAttributes): number => MODE_KIND[kind] | (mode & 0o777);
