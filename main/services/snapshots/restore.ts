// Going back: new overlays on the layers that the snapshot froze, its configuration, its memory. The snapshot itself is not touched,
// so it can be restored any number of times.

import path from "node:path";
import { AppError, isAppError } from "../../../native-core/common/errors.ts";
import { crashPoint } from "../../store/crash-points.ts";
import type { Layer, SnapshotRecord } from "../../store/machine-record.ts";
import type { ServiceContext } from "../context.ts";
import type { Lifecycle } from "../machines/lifecycle.ts";
import type { Machine } from "../machines/machine.ts";
import { requireNoTemplate, requireState } from "../machines/states.ts";
import { scheduleCleanup } from "./cleanup.ts";
import { makeOverlays, namedLayers, overlaysFor, removeFiles, topLayers, withTops } from "./layers.ts";
import { pruneNow } from "./prune.ts";
import { takeSnapshotNow } from "./take.ts";

export interface RestoreOptions {
  readonly keepCurrent: boolean;
  /** Default: start again when the machine was running and the snapshot has memory. */
  readonly start?: boolean | undefined;
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
    await requireWhole(context, machine, snapshot);
    let kept: string | null = null;
    if (options.keepCurrent) {
      const name = `Before restoring ${snapshot.name}`.slice(0, 128);
      kept = (await takeSnapshotNow(context, machine, { name, description: "", kind: "safety" })).id;
      if (snapshot.kind !== "safety") await pruneNow(context, machine);
    }
    // Made while nothing is given up yet: where there is no room for them, a running machine goes on.
    const overlays = overlaysFor(snapshot.layers);
    await makeOverlays(context, machine, snapshot.layers, overlays);
    crashPoint("restore:overlays-made");
    const wasRunning = machine.vm !== null;
    const start = options.start ?? (wasRunning && snapshot.memory !== null);
    if (start) lifecycle.prepareStart(machine);
    try {
      if (wasRunning) await lifecycle.powerOffNow(machine);
      await goBack(machine, snapshot, overlays);
      if (start) await lifecycle.startNow(machine);
    } finally {
      lifecycle.cancelPreparedStart();
    }
    // What the machine had before, such as a saved state of its own, may be free now.
    scheduleCleanup(context, machine);
    return kept;
  });
}

/** Asked before anything is given up: a running machine is not stopped, nor a disk left, for a snapshot whose files are gone. */
async function requireWhole(context: ServiceContext, machine: Machine, snapshot: SnapshotRecord): Promise<void> {
  const { folder } = machine.paths;
  try {
    for (const layer of snapshot.layers) await context.images.inspect(path.resolve(folder, layer.file), layer.format);
    const engine = context.engines.get(snapshot.config.engine);
    if (snapshot.memory !== null)
      await engine?.checkState?.(path.join(folder, snapshot.memory), context.keys.require(machine));
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

async function goBack(machine: Machine, snapshot: SnapshotRecord, overlays: readonly Layer[]): Promise<void> {
  const from = machine.state;
  const previousTops = topLayers(machine.record.config.disks);
  machine.transition("restoring");
  try {
    await machine.update((record) => ({
      // The machine keeps the name, the notes and the place in the list it has today.
      config: {
        ...snapshot.config,
        name: record.config.name,
        description: record.config.description,
        group: record.config.group,
        disks: withTops(snapshot.config.disks, overlays),
      },
      state: snapshot.memory === null ? "powered-off" : "saved",
      savedState: snapshot.memory,
      currentSnapshotId: snapshot.id,
      changedSinceSnapshot: false,
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
  machine.transition(snapshot.memory === null ? "powered-off" : "saved");
  machine.publishSnapshots();
  void machine.log.write("info", `Snapshot "${snapshot.name}" was restored`);
  const named = namedLayers(machine);
  const superseded = previousTops.filter((layer) => !named.has(path.resolve(machine.paths.folder, layer.file)));
  await removeFiles(machine, superseded);
}
