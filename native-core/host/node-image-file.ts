// ImageFile over a file of the host. Callbacks instead of promises of node:fs: half the overhead per request.
import { spawn } from "node:child_process";
import {
  type BigIntStats,
  constants,
  fdatasync,
  ftruncate,
  read,
  readSync,
  readv,
  readvSync,
  type Stats,
  write,
  writev,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { AppError } from "../common/errors.ts";
import { type Pieces, piecesLength, slicePieces } from "../common/pieces.ts";
import type { ImageFile } from "../media/image-file.ts";
import { fileError } from "./file-error.ts";
import { FileLock, type LockKind } from "./file-lock.ts";
import { Patience } from "./patience.ts";

export interface OpenOptions {
  readonly readOnly: boolean;
  /** Fails when the file exists already; otherwise it must exist. */
  readonly create?: boolean;
  /** Defaults to `r` for read-only files and `w` for others; null takes none. */
  readonly lock?: LockKind | null;
}

export class NodeImageFile implements ImageFile {
  readonly name: string;
  readonly readOnly: boolean;
  readonly lock: FileLock | undefined;
  readonly #handle: FileHandle;
  readonly #fd: number;
  #closed = false;
  readonly #patience = new Patience();

  /** Bytes moved since the process started, for the metrics. */
  static readBytes = 0;
  static writtenBytes = 0;

  /** Opens a regular file at a canonical path. Throws AppError. */
  static async open(path: string, options: OpenOptions): Promise<NodeImageFile> {
    const { readOnly } = options;
    const flags = readOnly
      ? constants.O_RDONLY
      : constants.O_RDWR | (options.create ? constants.O_CREAT | constants.O_EXCL : 0);
    let handle: FileHandle;
    try {
      handle = await open(path, flags | (constants.O_NONBLOCK ?? 0), 0o600);
    } catch (error) {
      throw fileError(error, path);
    }
    try {
      const stats: Stats | BigIntStats = await handle.stat();
      if (!stats.isFile())
        throw new AppError("INVALID_FILE", `${path} is not a regular file`, { file: path, field: "file" });
      const kind = options.lock === undefined ? (readOnly ? "r" : "w") : options.lock;
      const lock = kind === null ? undefined : await FileLock.acquire(path, kind);
      return new NodeImageFile(path, readOnly, handle, lock);
    } catch (error) {
      await handle.close();
      throw fileError(error, path);
    }
  }

  private constructor(name: string, readOnly: boolean, handle: FileHandle, lock: FileLock | undefined) {
    this.name = name;
    this.readOnly = readOnly;
    this.lock = lock;
    this.#handle = handle;
    this.#fd = handle.fd;
  }

  read(offset: number, target: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      let done = 0;
      const next = () => {
        read(this.#fd, target, done, target.length - done, offset + done, (error, count) => {
          if (error) return reject(fileError(error, this.name));
          done += count;
          NodeImageFile.readBytes += count;
          if (count > 0 && done < target.length) next();
          else resolve(done);
        });
      };
      if (target.length === 0) resolve(0);
      else next();
    });
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      let done = 0;
      const next = () => {
        write(this.#fd, source, done, source.length - done, offset + done, (error, count) => {
          if (error) return reject(fileError(error, this.name));
          done += count;
          NodeImageFile.writtenBytes += count;
          if (done < source.length) next();
          else resolve();
        });
      };
      if (source.length === 0) resolve();
      else next();
    });
  }

  readPieces(offset: number, target: Pieces): Promise<number> {
    const length = piecesLength(target);
    return new Promise((resolve, reject) => {
      let done = 0;
      const next = () => {
        readv(this.#fd, slicePieces(target, done, length), offset + done, (error, count) => {
          if (error) return reject(fileError(error, this.name));
          done += count;
          NodeImageFile.readBytes += count;
          if (count > 0 && done < length) next();
          else resolve(done);
        });
      };
      next();
    });
  }

  writePieces(offset: number, source: Pieces): Promise<void> {
    const length = piecesLength(source);
    return new Promise((resolve, reject) => {
      let done = 0;
      const next = () => {
        writev(this.#fd, slicePieces(source, done, length), offset + done, (error, count) => {
          if (error) return reject(fileError(error, this.name));
          done += count;
          NodeImageFile.writtenBytes += count;
          if (done < length) next();
          else resolve();
        });
      };
      next();
    });
  }

  /** Where it fails, the caller asks again and hears of it then. */
  readNow(offset: number, target: Pieces): boolean {
    if (this.#closed) return false;
    const [only] = target;
    const count =
      this.#patience.try(() =>
        target.length === 1 && only
          ? readSync(this.#fd, only, 0, only.length, offset)
          : readvSync(this.#fd, target, offset),
      ) ?? 0;
    NodeImageFile.readBytes += count;
    return count === piecesLength(target);
  }

  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#fd, (error) => (error ? reject(fileError(error, this.name, { field: "flush" })) : resolve()));
    });
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  truncate(sizeBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      ftruncate(this.#fd, sizeBytes, (error) => (error ? reject(fileError(error, this.name)) : resolve()));
    });
  }

  /** Node has no call for this; on Linux util-linux has a program, which gets the open file itself, not its name. */
  punchHole(offset: number, length: number): Promise<void> {
    if (process.platform !== "linux" || this.readOnly) return Promise.resolve();
    return new Promise((resolve) => {
      const range = ["--punch-hole", "--offset", String(offset), "--length", String(length), "/proc/self/fd/3"];
      const child = spawn("fallocate", range, { stdio: ["ignore", "ignore", "ignore", this.#fd] });
      child.once("error", () => resolve());
      child.once("exit", () => resolve());
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#handle.close();
    } finally {
      await this.lock?.release();
    }
  }
}
