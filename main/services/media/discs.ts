// Discs in optical drives: inserted and ejected whether the machine is off, saved or running.
import { open, stat } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import { ioFailure } from "../../store/io-error.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { isStill } from "../machines/states.ts";
import { scheduleCleanup } from "../snapshots/cleanup.ts";

export interface DiscChange {
  /** Undefined: the machine's only drive, or its first one. */
  readonly driveId?: string | undefined;
  /** Null takes the disc out. */
  readonly file: string | null;
  /** Also while the guest has it locked. */
  readonly force: boolean;
}

/** False: the guest uses the disc and was asked to let it go. */
export async function changeDisc(context: ServiceContext, machine: Machine, change: DiscChange): Promise<boolean> {
  if (change.file !== null) await checkDisc(change.file);
  return machine.operate(() => changeDiscNow(context, machine, change));
}

/** For callers that hold the machine's operations already, and know that the disc is one. */
export async function changeDiscNow(
  context: ServiceContext,
  machine: Machine,
  { driveId, file, force }: DiscChange,
): Promise<boolean> {
  const drive = findDrive(machine.record.config, driveId);
  const { vm, state } = machine;
  if (state === "saved" && drive.file !== file) {
    throw new AppError("INVALID_STATE", `"${machine.name}" is saved, and its guest expects the disc it left`, {
      field: "state",
      consequence: "Nothing was changed.",
      remedy: "Start the machine, then change the disc.",
    });
  }
  if (vm) {
    const { changed } = await vm.client.request("changeDisc", { driveId: drive.id, file, force });
    if (!changed) return false;
  } else if (!isStill(state)) {
    throw new AppError("INVALID_STATE", `The disc can't be changed while the machine is ${state}`, {
      field: "state",
    });
  }
  await putDisc(context, machine, drive.id, file);
  return true;
}

/** The guest opened the tray by itself. */
export async function discEjected(context: ServiceContext, machine: Machine, driveId: string): Promise<void> {
  if (!machine.record.config.opticalDrives.some(({ id }) => id === driveId)) return;
  await putDisc(context, machine, driveId, null);
}

/** Every disc that a machine is to start with is there, and its floppy disk. */
export async function checkDiscs(config: MachineConfig): Promise<void> {
  if (config.floppy.file !== null) await checkDisc(config.floppy.file, "floppy.file");
  for (const [index, { file }] of config.opticalDrives.entries()) {
    if (file !== null) await checkDisc(file, `opticalDrives.${index}.file`);
  }
}

export async function checkDisc(file: string, field = "file"): Promise<void> {
  const refuse = (problem: string): AppError =>
    new AppError("INVALID_FILE", `${file} ${problem}`, {
      ...{ file, field, consequence: "Nothing was changed." },
      remedy: "Choose an ISO image, or eject the disc.",
    });
  if (!path.isAbsolute(file)) throw refuse("is not an absolute path");
  try {
    const found = await stat(file);
    if (!found.isFile()) throw refuse("is not a file");
    if (found.size < 2048) throw refuse("is too small for a disc");
    await (await open(file, "r")).close();
  } catch (error) {
    throw ioFailure(error, file, { field, consequence: "Nothing was changed." });
  }
}

async function putDisc(context: ServiceContext, machine: Machine, driveId: string, file: string | null): Promise<void> {
  await machine.update(({ config, changedSinceSnapshot }) => ({
    config: {
      ...config,
      opticalDrives: config.opticalDrives.map((drive) => (drive.id === driveId ? { ...drive, file } : drive)),
    },
    changedSinceSnapshot: changedSinceSnapshot || machine.vm !== null,
  }));
  // The one that was there may be nobody's now.
  scheduleCleanup(context, machine);
}

function findDrive(config: MachineConfig, driveId: string | undefined): MachineConfig["opticalDrives"][number] {
  const drive = driveId === undefined ? config.opticalDrives[0] : config.opticalDrives.find(({ id }) => id === driveId);
  if (drive) return drive;
  throw new AppError("NOT_FOUND", driveId ? `There is no drive ${driveId}` : "The machine has no optical drive", {
    field: "driveId",
    consequence: "Nothing was changed.",
    remedy: "Add a drive in the storage settings while the machine is off.",
  });
}
