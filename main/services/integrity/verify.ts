// Whether everything that a machine consists of can be read: each layer of its disks with its tables, and each chunk of its memory states; and
// the repair of what can be repaired. What can't be is named with the snapshots that lose it.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { AppError, isAppError } from "../../../native-core/common/errors.ts";
import { verifyState } from "../../../native-core/host/state/verify-state.ts";
import type { MachineProblem } from "../../contract/schemas.ts";
import { allImages } from "../../store/images.ts";
import { stateFolders } from "../../store/orphans.ts";
import type { ServiceContext } from "../context.ts";
import { cancelled } from "../failures.ts";
import type { Machine } from "../machines/machine.ts";
import { isStill } from "../machines/states.ts";
import { backingLinks } from "../snapshots/layers.ts";
import { thumbnailFile } from "../snapshots/take.ts";
import { goingOnFrom, standingOnLayer } from "./affected.ts";
import { type KeptBackup, knownBackups } from "./backup-contents.ts";
import { type DamagedLayer, repairLayer } from "./repair-disk.ts";
import { repairMemory } from "./repair-memory.ts";

export interface VerifyOptions {
  readonly repair?: boolean;
  /** A folder of backups beside those that machines are set to. */
  readonly backupFolder?: string | undefined;
}

export interface Verification {
  readonly checkedFiles: number;
  /** Being written, so not looked at. */
  readonly skipped: string[];
  readonly problems: MachineProblem[];
}

/** Something to be checked. */
interface Item {
  /** Absolute. */
  readonly file: string;
  readonly part: MachineProblem["part"];
  /** @throws AppError for damage */
  check(): Promise<void>;
  /** Settles whether or not it helped; yields why it did not, should it not have. */
  repair(backups: readonly KeptBackup[]): Promise<string | null>;
  affected(): Promise<Pick<MachineProblem, "snapshots" | "present">>;
  /** Whether it is still part of the machine. */
  isNeeded(): Promise<boolean>;
}

/** Top layers of a running machine are its process's alone; they are passed over and named. */
export async function verifyMachine(
  context: ServiceContext,
  machine: Machine,
  { repair = false, backupFolder }: VerifyOptions = {},
): Promise<Verification> {
  const items = [...(await layerItems(context, machine)), ...stateItems(context, machine), ...pictureItems(machine)];
  const files = new Set(items.map(({ file }) => file));
  const backups = repair ? await knownBackups(context, backupFolder === undefined ? [] : [backupFolder]) : [];
  const skipped: string[] = [];
  const problems: MachineProblem[] = [];
  const title = `${repair ? "Checking and repairing" : "Verifying"} ${machine.name}`;
  await context.tasks.run({ title, machineId: machine.id, cancellable: true }, async (task) => {
    for (const [index, item] of items.entries()) {
      if (task.signal.aborted) throw cancelled("The verification");
      const damage = await lastingDamage(item);
      task.progress((index + 1) / items.length);
      if (damage === null) continue;
      const file = damage.details.file ?? item.file;
      if (damage.code === "IN_USE") skipped.push(item.file);
      // A layer whose base is damaged: that is named by itself.
      else if (file === item.file || !files.has(file))
        problems.push(await problemOf(item, damage, repair ? backups : null));
    }
  });
  const repaired = problems.filter((problem) => problem.repaired).length;
  if (problems.length > 0) {
    void machine.log.write("warn", `Verifying found ${problems.length} damaged files; ${repaired} were repaired`);
  }
  if (repaired > 0) machine.publishSnapshots();
  return { checkedFiles: items.length, skipped, problems };
}

/** A layer may be merged away while it is looked at: what is not part of the machine any more is no damage. */
async function lastingDamage(item: Item): Promise<AppError | null> {
  const damage = await damageOf(item);
  if (damage === null || damage.code === "IN_USE") return damage;
  return (await item.isNeeded()) ? damageOf(item) : null;
}

async function damageOf(item: Item): Promise<AppError | null> {
  try {
    await item.check();
    return null;
  } catch (error) {
    if (isAppError(error) && error.code !== "CANCELLED") return error;
    throw error;
  }
}

async function problemOf(item: Item, damage: AppError, backups: readonly KeptBackup[] | null): Promise<MachineProblem> {
  const affected = await item.affected();
  const said = { file: damage.details.file ?? item.file, part: item.part, message: damage.message, ...affected };
  if (backups === null) return { ...said, remark: null, repaired: false };
  const remark = await item.repair(backups);
  const left = await damageOf(item);
  return left === null
    ? { ...said, remark: null, repaired: true }
    : { ...said, message: left.message, remark, repaired: false };
}

/** By absolute path: the layers that are named, and those below them, which linked copies share or which are to be merged. */
async function layersOf(machine: Machine): Promise<Map<string, DamagedLayer>> {
  const { folder } = machine.paths;
  const layers = new Map<string, DamagedLayer>();
  for (const layer of allImages(machine.record)) {
    const file = path.resolve(folder, layer.file);
    if (!layers.has(file)) layers.set(file, layer);
  }
  for (const below of (await backingLinks(machine)).values()) {
    const inner = path.relative(folder, below).replaceAll(path.sep, "/");
    if (!layers.has(below) && inner.startsWith("disks/")) layers.set(below, { file: inner, format: "qcow2" });
  }
  return layers;
}

async function layerItems(context: ServiceContext, machine: Machine): Promise<Item[]> {
  const layers = await layersOf(machine);
  return [...layers].map(([file, layer]) => ({
    file,
    part: "disk",
    check: () => checkLayer(context, file, layer.format),
    repair: (backups) =>
      machine.operate(async () => {
        if (!isStill(machine.state)) return "It is repaired while the machine is off or saved.";
        await repairLayer(context, machine, layer, backups);
        return "Nothing that this computer knows of holds the same disk.";
      }),
    affected: () => standingOnLayer(machine, file),
    isNeeded: async () => (await layersOf(machine)).has(file),
  }));
}

async function checkLayer(context: ServiceContext, file: string, format: "qcow2" | "raw"): Promise<void> {
  const check = await context.images.check(file, format);
  if (check === null) return context.images.verify(file, format);
  const [first] = check.damage;
  const lost = check.damage.reduce((sum, { length }) => sum + length, 0);
  const details = { file, consequence: "What stands on it can't be used as it was." };
  if (first) {
    const problem = `${lost} bytes of the disk can't be read, the first at ${first.offset}`;
    throw new AppError("INVALID_FILE", `${file} is damaged: ${problem}`, {
      ...details,
      field: `offset ${first.offset}`,
    });
  }
  if (check.hasWrongCounts) {
    throw new AppError("INVALID_FILE", `${file} has wrong reference counts; what is on the disk is whole`, {
      ...details,
      field: "refcounts",
    });
  }
}

function stateItems(context: ServiceContext, machine: Machine): Item[] {
  return [...stateFolders(machine.paths, machine.record)].map((folder) => ({
    file: folder,
    part: "memory",
    check: () => verifyState(folder, context.keys.sealOf(machine)),
    repair: (backups) =>
      context.chunkWork.run(() =>
        machine.operate(async () => {
          try {
            const { lostPages } = await repairMemory(context, machine, folder, backups);
            return `${lostPages} pages of its memory are nowhere else.`;
          } catch (error) {
            // It is named as it is; a full disk is another matter.
            if (isAppError(error) && ["INVALID_FILE", "NOT_FOUND"].includes(error.code)) return null;
            throw error;
          }
        }),
      ),
    affected: async () => goingOnFrom(machine, folder),
    isNeeded: async () => stateFolders(machine.paths, machine.record).has(folder),
  }));
}

function pictureItems(machine: Machine): Item[] {
  return machine.record.snapshots
    .filter(({ hasThumbnail }) => hasThumbnail)
    .map(({ id, name }) => {
      const file = thumbnailFile(machine, id);
      // Until the repair forgets it.
      const has = () => machine.record.snapshots.some((each) => each.id === id && each.hasThumbnail);
      return {
        file,
        part: "picture" as const,
        async check() {
          if (!has()) return;
          await readFile(file).catch(() => {
            throw new AppError("NOT_FOUND", "The picture of a snapshot is gone", { file });
          });
        },
        async repair() {
          await machine.update(({ snapshots }) => ({
            snapshots: snapshots.map((each) => (each.id === id ? { ...each, hasThumbnail: false } : each)),
          }));
          return null;
        },
        affected: async () => ({ snapshots: [{ id, name }], present: false }),
        isNeeded: async () => has(),
      };
    });
}
