// A regular file of the host that a guest has open.
import {
  type BigIntStats,
  close,
  constants,
  fchmod,
  fstat,
  fsync,
  ftruncate,
  futimes,
  open,
  readv,
  readvSync,
  writev,
  writevSync,
} from "node:fs";
import type { Pieces } from "../../common/pieces.ts";
import {
  type AttributeChanges,
  type FileAttributes,
  type OpenFile,
  type OpenMode,
  ShareError,
} from "../../devices/virtio/p9/file-share.ts";
import { Patience } from "../patience.ts";
import { attributesOf } from "./attributes.ts";
import { hostCall } from "./share-errors.ts";

/** Never followed, never waited for: a pipe would keep a thread until somebody writes to it. */
const SAFE = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

export function openFlags({ read, write, truncate, synchronous }: OpenMode): number {
  const access = write ? (read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
  return access | (truncate ? constants.O_TRUNC : 0) | (synchronous ? (constants.O_SYNC ?? 0) : 0);
}

export class NodeFile implements OpenFile {
  readonly #fd: number;
  readonly #isSynchronous: boolean;
  readonly #patience = new Patience();

  /** `place` is an entry of a folder that can't be exchanged meanwhile (folder-access.ts). Rejects with ShareError. */
  static async open(place: string, flags: number, permissions = 0): Promise<NodeFile> {
    const fd = await hostCall<number>((done) => open(place, flags | SAFE, permissions, done));
    const file = new NodeFile(fd, (flags & (constants.O_SYNC ?? 0)) !== 0);
    try {
      if ((await file.attributes()).kind !== "file") throw new ShareError("ENXIO");
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private constructor(fd: number, isSynchronous: boolean) {
    this.#fd = fd;
    this.#isSynchronous = isSynchronous;
  }

  async attributes(): Promise<FileAttributes> {
    return attributesOf(await hostCall<BigIntStats>((done) => fstat(this.#fd, { bigint: true }, done)));
  }

  read(offset: number, target: Pieces): Promise<number> {
    return hostCall((done) => readv(this.#fd, target, offset, done));
  }

  write(offset: number, source: Pieces): Promise<number> {
    return hostCall((done) => writev(this.#fd, source, offset, done));
  }

  readNow(offset: number, target: Pieces): number | undefined {
    return this.#patience.try(() => readvSync(this.#fd, target, offset));
  }

  writeNow(offset: number, source: Pieces): number | undefined {
    return this.#isSynchronous ? undefined : this.#patience.try(() => writevSync(this.#fd, source, offset));
  }

  async change({ mode, sizeBytes, accessedNs, modifiedNs }: AttributeChanges): Promise<void> {
    if (sizeBytes !== undefined) await hostCall<void>((done) => ftruncate(this.#fd, sizeBytes, done));
    if (mode !== undefined) await hostCall<void>((done) => fchmod(this.#fd, mode, done));
    if (accessedNs === undefined && modifiedNs === undefined) return;
    const [accessed, modified] = await newTimes({ accessedNs, modifiedNs }, () => this.attributes());
    await hostCall<void>((done) => futimes(this.#fd, accessed, modified, done));
  }

  sync(): Promise<void> {
    return hostCall((done) => fsync(this.#fd, done));
  }

  close(): Promise<void> {
    return hostCall((done) => close(this.#fd, done));
  }
}

type Times = Pick<AttributeChanges, "accessedNs" | "modifiedNs">;

/** In seconds, as Node takes them: both, since it has no way to leave one alone. */
export async function newTimes(
  { accessedNs, modifiedNs }: { [K in keyof Times]: Times[K] | undefined },
  present: () => Promise<FileAttributes>,
): Promise<readonly [number, number]> {
  const now = Date.now() / 1000;
  const known = accessedNs === undefined || modifiedNs === undefined ? await present() : undefined;
  const seconds = (wanted: bigint | "now" | undefined, before: bigint | undefined): number =>
    wanted === "now" ? now : Number(wanted ?? before ?? 0n) / 1e9;
  return [seconds(accessedNs, known?.accessedNs), seconds(modifiedNs, known?.modifiedNs)];
}
