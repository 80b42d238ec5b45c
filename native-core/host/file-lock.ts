// Locks on image files that survive nothing but their owner: a killed process leaves no lock behind.
//
// A lock is an empty file beside the image whose name says who holds it and how:
//     disk0.qcow2.lock-w-4711-88123-1      kind, process id, start time of that process, serial number
// To take a lock: make your own, then look at the others. One held by a living process that conflicts: remove your own and fail.
// One of a dead process: remove it. Of two that try at once at least one sees the other, so never both succeed. The start time
// tells a process from a later one with the same id (Linux; elsewhere the id alone has to do).
//
// Kinds and what they exclude:  r read (w)   m merge: changes the file but not what it reads as (w, m)   w write (r, m, w)
import { hash } from "node:crypto";
import { open, readdir, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AppError } from "../common/errors.ts";
import { fileError } from "./file-error.ts";
import { isAlive, startTime } from "./process-life.ts";

export type LockKind = "r" | "m" | "w";

const CONFLICTS: Readonly<Record<LockKind, string>> = { r: "w", m: "wm", w: "rmw" };

const NAME_MAX_BYTES = 180;

let serial = 0;

/** Locks that this process gave up but whose files could not be removed: they hold nobody off here, wherever their folder went. */
const released = new Set<string>();

export class FileLock {
  readonly #image: string;
  #file: string | undefined;

  private constructor(image: string, file: string | undefined) {
    this.#image = image;
    this.#file = file;
  }

  /** `image` is a canonical path. Throws AppError IN_USE when somebody else holds a conflicting lock. */
  static async acquire(image: string, kind: LockKind): Promise<FileLock> {
    const own = join(dirname(image), lockName(image, kind));
    try {
      await (await open(own, "wx", 0o600)).close();
    } catch (error) {
      // Nobody of this user can write in a folder where no lock can be made, so readers need none there.
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (kind === "r" && (code === "EACCES" || code === "EROFS" || code === "EPERM"))
        return new FileLock(image, undefined);
      throw fileError(error, image);
    }
    const rival = await findRival(image, own, kind);
    if (rival === undefined) return new FileLock(image, own);
    await unlink(own).catch(() => undefined);
    throw new AppError("IN_USE", `${image} is in use by process ${rival}`, {
      file: image,
      consequence: "It was not opened: two writers would destroy the disk.",
      remedy: "Stop the machine or program that uses it.",
    });
  }

  /** Keeps the lock but holds it less tightly, for instance when a layer becomes read-only. */
  async downgrade(kind: LockKind): Promise<void> {
    if (this.#file === undefined) return;
    const file = join(dirname(this.#image), lockName(this.#image, kind));
    await rename(this.#file, file);
    this.#file = file;
  }

  async release(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) await unlink(file).catch(() => void released.add(basename(file)));
  }
}

/** File names have a limit, 255 bytes on most systems: a long one is represented by its digest. */
function lockPrefix(image: string): string {
  const name = basename(image);
  return `${Buffer.byteLength(name) > NAME_MAX_BYTES ? hash("sha256", name) : name}.lock-`;
}

function lockName(image: string, kind: LockKind): string {
  return `${lockPrefix(image)}${kind}-${process.pid}-${startTime(process.pid) ?? 0}-${++serial}`;
}

/** Process id of a living holder of a conflicting lock. Removes locks of the dead on the way. */
async function findRival(image: string, own: string, kind: LockKind): Promise<number | undefined> {
  const prefix = lockPrefix(image);
  for (const name of await readdir(dirname(image))) {
    if (!name.startsWith(prefix) || name === basename(own)) continue;
    const [, held, pid, started] = /^([rmw])-(\d+)-(\d+)-\d+$/.exec(name.slice(prefix.length)) ?? [];
    if (!held || !pid || !started || released.has(name)) continue;
    if (!isAlive(Number(pid), started)) await unlink(join(dirname(image), name)).catch(() => undefined);
    else if (CONFLICTS[kind].includes(held)) return Number(pid);
  }
  return undefined;
}
