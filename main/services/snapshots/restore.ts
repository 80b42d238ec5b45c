// Going back: new overlays on the layers that the snapshot froze, its configuration, its memory. The snapshot itself is not touched,
// so it can be restored any number of times.

import path from "node:path";
import { AppError, isAppError } from "../../../native-core/common/errors.ts";
import { crashPoint } from "../../store/crash-points.ts";
import type { DetachedDisk, Layer, SnapshotRecord } from "../../store/machine-record.ts";
import { hasOwnData, readBacking } from "../../store/qcow2-header.ts";
import type { ServiceContext } from "../context.ts";
import type { Lifecycle } from "../machines/lifecycle.ts";
import type { Machine } from "../machines/machine.ts";
import { requireNoTemplate, requireState } from "../machines/states.ts";
import { scheduleCleanup } from "./cleanup.ts";
import { memoryFits, planRestore, type RestorePlan } from "./independent.ts";
import { makeOverlays, namedLayers, overlaysFor, removeFiles, topLayers, withTops } from "./layers.ts";
import { pruneNow } from "./prune.ts";
import { takeSnapshotNow } from "./take.ts";

export interface RestoreOptions {
  readonly keepCurrent: boolean;
  /** Default: start again when the machine was running and goes on with the snapshot's memory. */
  readonly start?: boolean | undefined;
  /**
   * Whether the guest goes on with the snapshot's memory; without it is as after a power failure. Default: as `if-safe`, but refused where
   * a disk has changed since: that is for the user to decide.
   */
  readonly memory?: "if-safe" | "always" | "never" | undefined;
}

/** Yields the snapshot that keeps what was given up, if one was asked for. */
export async function restoreSnapshot(
  context: ServiceContext,
  lifecycle: Lifecycle,
  machine: Machine,
  snapshot: SnapshotRecord,
  options: RestoreOptions,
): Promise<string | null> {
  return machine.operate(async () => {
    requireState(machine.name, machine.state, ["powered-off", "saved", "aborted", "running", "paused"], "restored");
    requireNoTemplate(machine, "restored");
    const memory = memoryToUse(machine, snapshot, options);
    await requireWhole(context, machine, snapshot, memory);
    let kept: string | null = null;
    if (options.keepCurrent) {
      const name = `Before restoring ${snapshot.name}`.slice(0, 128);
      kept = (await takeSnapshotNow(context, machine, { name, description: "", kind: "safety" })).id;
      if (snapshot.kind !== "safety") await pruneNow(context, machine);
    }
    // Made while nothing is given up yet: where there is no room for them, a running machine goes on.
    const { layers } = planRestore(machine.record, snapshot);
    const overlays = overlaysFor(layers);
    await makeOverlays(context, machine, layers, overlays);
    crashPoint("restore:overlays-made");
    const wasRunning = machine.vm !== null;
    const start = options.start ?? (wasRunning && memory !== null);
    if (start) lifecycle.prepareStart(machine);
    try {
      if (wasRunning) await lifecycle.powerOffNow(machine);
      await goBack(machine, snapshot, overlays, memory);
      if (start) await lifecycle.startNow(machine);
    } finally {
      lifecycle.cancelPreparedStart();
    }
    // What the machine had before, such as a saved state of its own, may be free now.
    scheduleCleanup(context, machine);
    return kept;
  });
}

/** The memory that the machine goes on with, if any. @throws AppError INVALID_STATE where it doesn't fit the disks and nobody decided */
function memoryToUse({ record, name }: Machine, snapshot: SnapshotRecord, { memory }: RestoreOptions): string | null {
  if (snapshot.memory === null || memory === "never") return null;
  if (memoryFits(record, snapshot)) return snapshot.memory;
  const { kept, gone } = planRestore(record, snapshot);
  // Without a disk that it knows a guest can't go on at all.
  if (memory === "if-safe" || (memory === "always" && gone.length > 0)) return null;
  if (memory === "always") return snapshot.memory;
  const disks = [...kept, ...gone].join(", ");
  throw new AppError("INVALID_STATE", `What is on ${disks} is newer than the memory of "${snapshot.name}"`, {
    field: "memory",
    consequence: `Nothing was changed. A guest that goes on would destroy a file system that it had mounted on a disk that has changed since.`,
    remedy: `Restore it without memory (--memory never): "${name}" then starts anew, as after a power failure. Or with it (--memory always), if nothing on the disk was in use at that time.`,
  });
}

/** Asked before anything is given up: a running machine is not stopped, nor a disk left, for a snapshot whose files are gone. */
async function requireWhole(
  context: ServiceContext,
  machine: Machine,
  snapshot: SnapshotRecord,
  memory: string | null,
): Promise<void> {
  const { folder } = machine.paths;
  try {
    for (const layer of planRestore(machine.record, snapshot).layers)
      await context.images.inspect(path.resolve(folder, layer.file), layer.format);
    const engine = context.engines.get(snapshot.config.engine);
    if (memory !== null) await engine?.checkState?.(path.join(folder, memory), context.keys.require(machine));
  } catch (error) {
    if (!isAppError(error)) throw error;
    const details = {
      remedy: "Bring the file back from a backup, or restore another snapshot.",
      ...error.details,
      consequence: `The snapshot "${snapshot.name}" can't be restored; the machine is as it was.`,
    };
    throw new AppError(error.code, error.message, details, { cause: error });
  }
}

async function goBack(
  machine: Machine,
  snapshot: SnapshotRecord,
  overlays: readonly Layer[],
  memory: string | null,
): Promise<void> {
  const from = machine.state;
  const plan = planRestore(machine.record, snapshot);
  const detachedDisks = await withoutPutBack(machine, plan);
  const previous = [...topLayers(machine.record.config.disks), ...machine.record.detachedDisks.map(asLayer)];
  machine.transition("restoring");
  try {
    await machine.update((record) => ({
      // The machine keeps the name, the notes and the place in the list it has today.
      config: {
        ...snapshot.config,
        name: record.config.name,
        description: record.config.description,
        group: record.config.group,
        // What of this host the guest may see is decided today.
        sharedFolders: record.config.sharedFolders,
        disks: withTops(plan.disks, overlays),
      },
      detachedDisks,
      state: memory === null ? "powered-off" : "saved",
      savedState: memory,
      currentSnapshotId: snapshot.id,
      // A disk that is independent by now keeps what it has, though the snapshot has something else.
      changedSinceSnapshot: snapshot.layers.length > overlays.length,
      lastFailure: null,
      // The guest is to notice that it has been here before.
      generationId: null,
    }));
    crashPoint("restore:recorded");
  } catch (error) {
    machine.transition(from === "saved" ? "saved" : from === "aborted" ? "aborted" : "powered-off");
    await removeFiles(machine, overlays);
    throw error;
  }
  machine.transition(memory === null ? "powered-off" : "saved");
  machine.publishSnapshots();
  void machine.log.write("info", `Snapshot "${snapshot.name}" was restored`);
  const named = namedLayers(machine);
  const superseded = previous.filter((layer) => !named.has(path.resolve(machine.paths.folder, layer.file)));
  await removeFiles(machine, superseded);
}

/** A disk that was taken out comes back: the layer that it went away with is nothing to keep where the snapshot holds all that is on it. */
async function withoutPutBack(machine: Machine, { detachedDisks, layers }: RestorePlan): Promise<DetachedDisk[]> {
  const held = new Set(layers.map(({ file }) => path.resolve(machine.paths.folder, file)));
  const kept: DetachedDisk[] = [];
  for (const each of detachedDisks) {
    const file = path.resolve(machine.paths.folder, each.disk.file);
    const below = (await readBacking(file, each.disk.format))?.file ?? "";
    if (!held.has(below) || (await hasOwnData(file))) kept.push(each);
  }
  return kept;
}

const asLayer = ({ disk: { id, file, format } }: DetachedDisk): Layer => ({ diskId: id, file, format });
