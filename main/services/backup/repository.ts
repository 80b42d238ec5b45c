// A backup folder: contents in pieces that are named by what they hold, and one manifest per backup that says which pieces make it up.
//
//   terrarium-backup.json            format and version
//   objects/ab/<SHA-256>.zst         a piece of up to 1 MiB, compressed; equal pieces of all machines and backups are there once
//   backups/<id>.json                a backup with a checksum; written last, so that it is whole or not there
//
// A backup that is cut off leaves pieces that the next one finds and does not write again. Every piece is checked when it is read.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import { z } from "zod";
import { AppError } from "../../../native-core/common/errors.ts";
import { machineConfigSchema } from "../../../native-core/config/machine-config.ts";
import { BACKUP_KINDS, machineIdSchema } from "../../contract/schemas.ts";
import { putFile, syncFolder, writeFileAtomic } from "../../store/atomic-file.ts";
import { ioFailure, systemErrorCode, withIoFailures } from "../../store/io-error.ts";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

export const PIECE_BYTES = 1 << 20;
const FORMAT = "terrarium-backup";
const VERSION = 1;
const MARKER = "terrarium-backup.json";
/** A piece that was found there is as good as new: its time tells that it is wanted (prune.ts). */
const TOUCH_AFTER_MS = 3_600_000;

const pieceName = z.string().regex(/^[0-9a-f]{64}$/);
/** Pieces in order, each but the last one whole; null reads as zeroes. */
const contentsSchema = z.strictObject({
  sizeBytes: z.number().min(0),
  pieces: z.array(pieceName.nullable()),
});
export type Contents = z.infer<typeof contentsSchema>;

const manifestSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  id: z.string().regex(/^[0-9a-f]{12}$/),
  machineId: machineIdSchema,
  takenAtMs: z.number(),
  /** Whether a rule may delete it. */
  kind: z.enum(BACKUP_KINDS).default("user"),
  config: machineConfigSchema,
  disks: z.array(
    contentsSchema.extend({
      diskId: z.string(),
      /** The name of the layer that held all of it at that moment, with those below: what is wrong with it later can be made good. */
      layer: z.string().nullable().default(null),
    }),
  ),
  /** Files of the memory state by their paths inside of its folder. */
  memory: z.record(z.string().regex(/^(?:packs\/)?[A-Za-z0-9][\w.-]*$/), contentsSchema).nullable(),
});
export type Manifest = z.infer<typeof manifestSchema>;

export class BackupRepository {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Whether a backup was ever made to this folder. */
  static isThere(folder: string): boolean {
    return existsSync(path.join(folder, MARKER));
  }

  /** @throws AppError NOT_FOUND, INVALID_FILE, VERSION_MISMATCH, PERMISSION_DENIED */
  static async open(folder: string, create = false): Promise<BackupRepository> {
    const marker = path.join(folder, MARKER);
    const details = { field: "folder", consequence: "Nothing was backed up or restored." };
    const text = await readFile(marker, "utf8").catch((error: unknown) => {
      if (create && systemErrorCode(error) === "ENOENT") return null;
      throw ioFailure(error, marker, { ...details, remedy: "Choose a folder that was made by a backup." });
    });
    if (text === null) {
      await withIoFailures(folder, details, async () => {
        for (const name of ["objects", "backups"]) await mkdir(path.join(folder, name), { recursive: true });
        await writeFileAtomic(marker, `${JSON.stringify({ format: FORMAT, version: VERSION })}\n`);
      });
      return new BackupRepository(folder);
    }
    const version = z.object({ format: z.literal(FORMAT), version: z.int() }).safeParse(parseJson(text)).data?.version;
    if (version === VERSION) return new BackupRepository(folder);
    throw new AppError(
      version === undefined ? "INVALID_FILE" : "VERSION_MISMATCH",
      `${folder} is not a backup folder that this version knows`,
      { ...details, file: marker, remedy: "Choose another folder, or use the newer version of Terrarium." },
    );
  }

  /** Stores a piece unless it is there; yields its name and the bytes that were written. */
  async put(bytes: Uint8Array): Promise<{ name: string; writtenBytes: number }> {
    const name = createHash("sha256").update(bytes).digest("hex");
    const file = this.#file(name);
    const found = await stat(file).catch(() => null);
    if (found) {
      const now = new Date();
      if (now.getTime() - found.mtimeMs > TOUCH_AFTER_MS) await utimes(file, now, now).catch(() => undefined);
      return { name, writtenBytes: 0 };
    }
    const stored = await compress(bytes);
    await withIoFailures(
      file,
      { consequence: "The backup was not made; what was stored so far is used by the next one." },
      async () => {
        await mkdir(path.dirname(file), { recursive: true });
        await putFile(file, stored);
      },
    );
    return { name, writtenBytes: stored.length };
  }

  /** The contents of a piece, checked. @throws AppError INVALID_FILE, NOT_FOUND */
  async get(name: string): Promise<Uint8Array> {
    const file = this.#file(name);
    const stored = await readFile(file).catch((error: unknown) => {
      throw ioFailure(error, file, { consequence: "This backup can't be restored.", remedy: "Use another backup." });
    });
    const bytes = await decompress(stored, { maxOutputLength: PIECE_BYTES }).catch(() => null);
    if (bytes !== null && createHash("sha256").update(bytes).digest("hex") === name) return bytes;
    throw new AppError("INVALID_FILE", `${file} is damaged`, {
      file,
      field: "SHA-256",
      consequence: "Backups that hold it can't be restored.",
      remedy: "Delete this file and make a new backup while the machine still has these contents.",
    });
  }

  /** @throws AppError when a piece of it has gone meanwhile: the next backup writes that again */
  async putManifest(manifest: Manifest): Promise<void> {
    const file = this.#manifestFile(manifest.id);
    for (const name of piecesOf(manifest)) {
      await withIoFailures(
        this.#file(name),
        { consequence: "The backup was not made.", remedy: "Make it again." },
        () => stat(this.#file(name)),
      );
    }
    // Pieces are durable by themselves; their names have to be before anything refers to them.
    await syncFolder(path.join(this.folder, "objects"));
    for (const name of await readdir(path.join(this.folder, "objects"))) {
      await syncFolder(path.join(this.folder, "objects", name));
    }
    await withIoFailures(file, { consequence: "The backup was not made." }, async () => {
      try {
        await writeFileAtomic(file, manifestText(manifest));
      } catch (error) {
        // It may be in place and only not be confirmed; a backup counts when it is sure to be there.
        await rm(file, { force: true });
        throw error;
      }
    });
  }

  /** Oldest first. Files that are no manifests are named. */
  async manifests(): Promise<{ manifests: Manifest[]; damaged: string[] }> {
    const manifests: Manifest[] = [];
    const damaged: string[] = [];
    const folder = path.join(this.folder, "backups");
    for (const name of (await readdir(folder)).filter((each) => each.endsWith(".json"))) {
      const text = await readFile(path.join(folder, name), "utf8");
      const parsed = manifestSchema.safeParse(parseManifest(text));
      if (parsed.success) manifests.push(parsed.data);
      else damaged.push(path.join(folder, name));
    }
    manifests.sort((a, b) => a.takenAtMs - b.takenAtMs);
    return { manifests, damaged };
  }

  async removeManifest(id: string): Promise<void> {
    const file = this.#manifestFile(id);
    await withIoFailures(file, { consequence: "The backup was not deleted." }, async () => {
      await rm(file, { force: true });
      // Before its pieces go: a manifest that came back after a power failure would have none.
      await syncFolder(path.dirname(file));
    });
  }

  /** Deletes pieces that nobody wanted since `beforeMs`; yields the bytes freed. Also what a backup that was cut off left behind. */
  async removePieces(isUnused: (name: string) => boolean, beforeMs: number): Promise<number> {
    const objects = path.join(this.folder, "objects");
    let freed = 0;
    for (const entry of await readdir(objects, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !isUnused(entry.name.replace(/\.zst$/, ""))) continue;
      const file = path.join(entry.parentPath, entry.name);
      const found = await stat(file).catch(() => null);
      if (!found || found.mtimeMs >= beforeMs) continue;
      await withIoFailures(file, {}, () => rm(file, { force: true }));
      freed += found.size;
    }
    return freed;
  }

  #manifestFile(id: string): string {
    return path.join(this.folder, "backups", `${id}.json`);
  }

  #file(name: string): string {
    return path.join(this.folder, "objects", name.slice(0, 2), `${name}.zst`);
  }
}

/** The names of the pieces that a backup stands on, each once. */
export function piecesOf({ disks, memory }: Manifest): Set<string> {
  const all = [...disks, ...Object.values(memory ?? {})].flatMap(({ pieces }) => pieces);
  return new Set(all.filter((piece) => piece !== null));
}

const manifestSum = (text: string): string => createHash("sha256").update(text).digest("hex");

function manifestText(manifest: Manifest): string {
  return `${JSON.stringify({ ...manifest, sha256: manifestSum(JSON.stringify(manifest)) })}\n`;
}

/** Null when it is not what was written; manifests of before there was a checksum are taken as they are. */
function parseManifest(text: string): unknown {
  const parsed = z.looseObject({ sha256: z.string().optional() }).safeParse(parseJson(text)).data;
  if (parsed === undefined) return null;
  const { sha256, ...manifest } = parsed;
  return sha256 === undefined || sha256 === manifestSum(JSON.stringify(manifest)) ? manifest : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
