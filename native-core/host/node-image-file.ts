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

export interface OpenOptions {
  readonly readOnly: boolean;
  /** Fails when the file exists already; otherwise it must exist. */
  readonly create?: boolean;
  /** Defaults to `r` for read-only files and `w` for others; null takes none. */
  readonly lock?: LockKind | null;
}

/** A read at once that took longer than this was not served from the host's cache, or the host was busy with something else. */
const SLOW_READ_MS = 0.1;
/** After a slow one, none is tried for 2^n times as long; n grows with every slow one and falls with every fast one. */
const MAX_PATIENCE = 6;

export class NodeImageFile implements ImageFile {
  readonly name: string;
  readonly readOnly: boolean;
  readonly lock: FileLock | undefined;
  readonly #handle: FileHandle;
  readonly #fd: number;
  #closed = false;
  /** Until then reading at once is not tried. */
  #patientUntilMs = 0;
  #patience = 0;

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

  /**
   * What the host's cache holds is here in a microsecond, while a turn through Node's thread pool takes twenty. Whether the cache holds
   * it can't be asked; how long the last reads took tells. Where nothing is in the cache, less than 2 % of the time are lost by trying.
   */
  readNow(offset: number, target: Pieces): boolean {
    const startMs = performance.now();
    if (startMs < this.#patientUntilMs || this.#closed) return false;
    const [only] = target;
    let count: number;
    try {
      count =
        target.length === 1 && only
          ? readSync(this.#fd, only, 0, only.length, offset)
          : readvSync(this.#fd, target, offset);
    } catch {
      // The caller asks again and hears of it then.
      return false;
    }
    NodeImageFile.readBytes += count;
    const tookMs = performance.now() - startMs;
    if (tookMs > SLOW_READ_MS) {
      this.#patience = Math.min(MAX_PATIENCE, this.#patience + 1);
      this.#patientUntilMs = startMs + tookMs * 2 ** this.#patience;
    } else if (this.#patience > 0) this.#patience--;
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
