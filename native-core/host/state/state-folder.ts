// Reading a state folder, which may be hostile or half gone: everything is checked before anything of the machine changes.
import { open, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { AppError, isAppError } from "../../common/errors.ts";
import { SEALED_MAGIC, type StateSeal } from "../crypt/sealed.ts";
import { fileError } from "../file-error.ts";
import {
  MAX_PAGES,
  MAX_STATE_JSON_BYTES,
  PAGE_BYTES,
  PAGES_FILE,
  STATE_FILE,
  STATE_FORMAT,
  STATE_FORMAT_VERSION,
} from "./format.ts";
import { PageMap } from "./page-map.ts";
import { decodeValue, encodeValue } from "./value-codec.ts";

/** What must be the same in the machine that continues from a state. */
const machineShapeSchema = z.strictObject({
  memoryMiB: z.int(),
  videoMemoryMiB: z.int(),
  disks: z.array(z.strictObject({ id: z.string(), sizeBytes: z.number(), readOnly: z.boolean() })),
});
export type MachineShape = z.infer<typeof machineShapeSchema>;

const documentSchema = z.object({
  format: z.literal(STATE_FORMAT),
  version: z.literal(STATE_FORMAT_VERSION),
  engine: z.literal("embedded"),
  savedAtMs: z.number(),
  shape: machineShapeSchema,
  /** Checked by the machine itself. */
  machine: z.unknown(),
  /** u32 each, little-endian. A hint: states from before there was any have none. */
  recentPages: z.instanceof(Uint8Array).optional(),
});

export interface SavedState {
  readonly folder: string;
  readonly savedAtMs: number;
  readonly shape: MachineShape;
  readonly machine: unknown;
  readonly map: PageMap;
  /** What the guest will want first; may name pages that there are not. */
  readonly recentPages: Uint32Array<ArrayBuffer>;
}

export function encodeState(
  shape: MachineShape,
  machine: unknown,
  savedAtMs: number,
  recentPages = new Uint32Array(0),
): string {
  return encodeValue({
    format: STATE_FORMAT,
    version: STATE_FORMAT_VERSION,
    engine: "embedded",
    savedAtMs,
    shape,
    machine,
    recentPages: new Uint8Array(recentPages.buffer, recentPages.byteOffset, recentPages.byteLength),
  });
}

/** The text of a `state.json` that may be hostile; `file` is its name for messages. Throws AppError. */
export function decodeState(file: string, text: string): z.infer<typeof documentSchema> {
  let untrusted: unknown;
  try {
    untrusted = decodeValue(text);
  } catch (error) {
    throw damaged(file, "document", error instanceof Error ? error.message : String(error));
  }
  const version = (untrusted as { version?: unknown } | null)?.version;
  if (typeof version === "number" && version > STATE_FORMAT_VERSION) {
    throw new AppError(
      "VERSION_MISMATCH",
      `${file} has version ${version}, this program knows ${STATE_FORMAT_VERSION}`,
      {
        file,
        field: "version",
        remedy: "Open it with the newer version of Terrarium that made it.",
      },
    );
  }
  const parsed = documentSchema.safeParse(untrusted);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw damaged(file, issue?.path.map(String).join(".") || "document", issue?.message ?? "is invalid");
  }
  return parsed.data;
}

function unsealFile(seal: StateSeal | undefined, file: string, bytes: Buffer): Buffer {
  const isSealed = bytes.subarray(0, SEALED_MAGIC.length).equals(SEALED_MAGIC);
  if (!seal && isSealed) throw lockedState(file);
  if (!seal) return bytes;
  // A state that anybody could have written is none of an encrypted machine.
  if (!isSealed) throw damaged(file, "seal", "is missing");
  try {
    return seal.open(basename(file), bytes.subarray(SEALED_MAGIC.length));
  } catch {
    throw damaged(file, "seal", "is broken, or of another machine");
  }
}

/** Throws AppError naming file and field. Chunks are checked when they are read. `seal`: of an encrypted machine's state. */
export async function readState(folder: string, seal?: StateSeal): Promise<SavedState> {
  const file = join(folder, STATE_FILE);
  const bytes = await readBounded(file, MAX_STATE_JSON_BYTES);
  const { shape, machine, savedAtMs, recentPages = new Uint8Array(0) } = decodeStateFile(file, bytes, seal);
  const map = await readPageMap(folder, seal);
  const pagesFile = join(folder, PAGES_FILE);
  const expected = ((shape.memoryMiB + shape.videoMemoryMiB) * 2 ** 20) / PAGE_BYTES;
  if (map.pages.length !== expected) throw damaged(pagesFile, "page count", `is ${map.pages.length}, not ${expected}`);
  return { folder, savedAtMs, shape, machine, map, recentPages: words(recentPages) };
}

/** The map alone, for work on chunks. Throws AppError as `readState`. */
export async function readPageMap(folder: string, seal?: StateSeal): Promise<PageMap> {
  const file = join(folder, PAGES_FILE);
  return decodePagesFile(file, await readBounded(file, MAX_PAGES * 64), seal);
}

/** The two files of a state as they lie on a disk, `file` being their name. Throw AppError as `readState`. */
export function decodePagesFile(file: string, bytes: Buffer, seal?: StateSeal): PageMap {
  return PageMap.decode(file, unsealFile(seal, file, bytes));
}

export function decodeStateFile(file: string, bytes: Buffer, seal?: StateSeal): z.infer<typeof documentSchema> {
  return decodeState(file, unsealFile(seal, file, bytes).toString("utf8"));
}

function words(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(new Uint8Array(bytes.subarray(0, bytes.length & ~3)).buffer);
}

/** Throws AppError unless the machine has the shape the state was saved with. */
export function checkShape(state: SavedState, actual: MachineShape): void {
  const differ = (field: string, saved: unknown, now: unknown) => {
    if (saved === now) return;
    throw new AppError(
      "INVALID_STATE",
      `the state was saved with another configuration: ${field} was ${saved}, not ${now}`,
      {
        file: join(state.folder, STATE_FILE),
        field,
        consequence: "The machine was not started.",
        remedy: "Set it back to what it was, or discard the saved state.",
      },
    );
  };
  differ("memoryMiB", state.shape.memoryMiB, actual.memoryMiB);
  differ("videoMemoryMiB", state.shape.videoMemoryMiB, actual.videoMemoryMiB);
  differ("disks", state.shape.disks.map((disk) => disk.id).join(" "), actual.disks.map((disk) => disk.id).join(" "));
  for (const [index, disk] of state.shape.disks.entries()) {
    differ(`disks.${disk.id}.sizeBytes`, disk.sizeBytes, actual.disks[index]?.sizeBytes);
    differ(`disks.${disk.id}.readOnly`, disk.readOnly, actual.disks[index]?.readOnly);
  }
}

/** Runs `restore` and puts the state's file into failures that name only a field. */
export function inState<T>(state: SavedState, restore: () => T): T {
  try {
    return restore();
  } catch (error) {
    if (!isAppError(error) || error.details.file) throw error;
    throw new AppError(
      error.code,
      error.message,
      { ...error.details, file: join(state.folder, STATE_FILE) },
      { cause: error },
    );
  }
}

async function readBounded(file: string, limit: number): Promise<Buffer> {
  try {
    if ((await stat(file)).size > limit) throw damaged(file, "size", "is out of range");
    const handle = await open(file, "r");
    try {
      return await readFile(handle);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(error, file, {
      consequence: "The state can't be restored; the machine was not changed.",
      remedy: "Restore another snapshot, or start the machine afresh.",
    });
  }
}

function lockedState(file: string): AppError {
  return new AppError("PERMISSION_DENIED", `${file} is encrypted`, {
    file,
    field: "encryption",
    consequence: "The state can't be restored; the machine was not changed.",
    remedy: "Unlock the machine with its passphrase first.",
  });
}

function damaged(file: string, field: string, problem: string): AppError {
  return new AppError("INVALID_FILE", `${file} is damaged: ${field}: ${problem}`, {
    file,
    field,
    consequence: "The state can't be restored; the machine was not changed.",
    remedy: "Restore another snapshot, or start the machine afresh.",
  });
}
