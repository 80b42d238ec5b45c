// Files that a guest without an agent is given: on a disc made for them, in a drive of its machine. They come from a snapshot, or from a user
// who dropped them on the screen or named them to the CLI, in pieces, because a browser tells what is in a file and not where it is.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import { seedDisc } from "../../../native-core/media/seed-disc.ts";
import { HANDED_FILES_MAX, HANDED_MAX_BYTES } from "../../contract/handed.ts";
import { writeFileAtomic } from "../../store/atomic-file.ts";
import { withIoFailures } from "../../store/io-error.ts";
import type { ServiceContext } from "../context.ts";
import { newId } from "../ids.ts";
import type { Machine } from "../machines/machine.ts";
import { scheduleCleanup } from "../snapshots/cleanup.ts";
import { changeDiscNow } from "./discs.ts";
import { handedFolder } from "./handed-discs.ts";

/** So many of the longest names fit the one block that a disc's folder has. */
const NAME_MAX = 60;
/** Files of an upload that was given up. */
const FORGOTTEN_AFTER_MS = 120_000;
const NOTHING_CHANGED = { consequence: "Nothing was changed." } as const;

interface Upload {
  readonly id: string;
  /** Pieces by the name of the file. */
  readonly files: Map<string, Uint8Array[]>;
  bytes: number;
  forget: NodeJS.Timeout;
}

/** One for each machine: a second one takes the place of the first. */
const uploads = new WeakMap<Machine, Upload>();

/** Takes the next piece of a file. @throws AppError UNSUPPORTED when it becomes too much, NOT_FOUND without a drive */
export function stageFile(machine: Machine, uploadId: string, name: string, piece: Uint8Array): { bytes: number } {
  driveFor(machine.record.config);
  let upload = uploads.get(machine);
  if (upload?.id !== uploadId) {
    forgetUpload(machine);
    upload = { id: uploadId, files: new Map(), bytes: 0, forget: setTimeout(() => undefined) };
    uploads.set(machine, upload);
  }
  clearTimeout(upload.forget);
  upload.forget = setTimeout(() => forgetUpload(machine), FORGOTTEN_AFTER_MS).unref();
  const pieces = upload.files.get(name) ?? [];
  upload.files.set(name, pieces);
  pieces.push(piece);
  upload.bytes += piece.length;
  if (upload.bytes > HANDED_MAX_BYTES || upload.files.size > HANDED_FILES_MAX) {
    forgetUpload(machine);
    throw tooMuch();
  }
  return { bytes: upload.bytes };
}

/** Makes a disc of what was staged and puts it into a drive. @throws AppError NOT_FOUND without an upload, and as `changeDisc` */
export async function handStaged(context: ServiceContext, machine: Machine, uploadId: string): Promise<Handed> {
  const upload = uploads.get(machine);
  if (upload?.id !== uploadId) {
    throw new AppError("NOT_FOUND", "The files did not arrive, or were forgotten", {
      ...{ field: "upload", ...NOTHING_CHANGED },
      remedy: "Send them again.",
    });
  }
  forgetUpload(machine);
  const files = [...upload.files].map(([name, pieces]) => [name, Buffer.concat(pieces)] as const);
  return handToDrive(context, machine, "HANDED", new Map(files));
}

export interface Handed {
  /** False: the guest uses the disc in the drive and was asked to let it go. */
  readonly changed: boolean;
  readonly driveId: string;
  /** The disc that was made. */
  readonly file: string;
}

/** A disc of these files in the machine's first empty drive, or instead of the disc in its first one. @throws AppError as `changeDisc`. */
export async function handToDrive(
  context: ServiceContext,
  machine: Machine,
  label: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<Handed> {
  const file = path.join(handedFolder(machine.paths), `${newId()}.iso`);
  return machine.operate(async () => {
    const { id: driveId } = driveFor(machine.record.config);
    try {
      await withIoFailures(file, NOTHING_CHANGED, async () => {
        await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
        await writeFileAtomic(file, seedDisc(label, plainNames(files)));
      });
      return { changed: await changeDiscNow(context, machine, { driveId, file, force: false }), driveId, file };
    } finally {
      // A disc that no drive took is nobody's.
      scheduleCleanup(context, machine);
    }
  });
}

export function tooMuch(): AppError {
  return new AppError("UNSUPPORTED", `A disc takes ${HANDED_FILES_MAX} files with ${HANDED_MAX_BYTES >> 20} MiB`, {
    ...{ field: "files", ...NOTHING_CHANGED },
    remedy: "Pack many files into an archive, or share a folder.",
  });
}

function driveFor({ opticalDrives }: MachineConfig): MachineConfig["opticalDrives"][number] {
  const drive = opticalDrives.find(({ file }) => file === null) ?? opticalDrives[0];
  if (drive) return drive;
  throw new AppError("NOT_FOUND", "The machine has no optical drive", {
    ...{ field: "opticalDrives", ...NOTHING_CHANGED },
    remedy: "Add a drive in the storage settings while the machine is off.",
  });
}

function forgetUpload(machine: Machine): void {
  clearTimeout(uploads.get(machine)?.forget);
  uploads.delete(machine);
}

/** Discs take plain names of limited length, each once. */
function plainNames(files: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const plain = new Map<string, Uint8Array>();
  for (const [name, content] of files) {
    const base = path.posix
      .basename(name)
      .replaceAll(/[^\w.+-]/g, "_")
      .slice(-NAME_MAX);
    let unique = base;
    for (let number = 2; isTaken(plain, unique); number++) unique = `${number}-${base}`.slice(0, NAME_MAX);
    plain.set(unique, content);
  }
  return plain;
}

/** Names on a disc without Joliet are in capitals. */
function isTaken(names: ReadonlyMap<string, unknown>, name: string): boolean {
  return [...names.keys()].some((other) => other.toUpperCase() === name.toUpperCase());
}
