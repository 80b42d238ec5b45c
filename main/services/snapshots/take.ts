// Taking a snapshot: live, with the guest's memory, or of a machine at rest.
//
// The intent is recorded first: from the moment an overlay exists the guest writes to it, and a crash must not forget that file.
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { SnapshotKind } from "../../contract/schemas.ts";
import { syncFolder, writeFileAtomic } from "../../store/atomic-file.ts";
import { crashPoint } from "../../store/crash-points.ts";
import type { Layer, SnapshotRecord } from "../../store/machine-record.ts";
import { recoverPending } from "../../store/recover.ts";
import type { ServiceContext } from "../context.ts";
import { newId } from "../ids.ts";
import { existing, vmOf } from "../machines/lifecycle.ts";
import type { Machine } from "../machines/machine.ts";
import { requireState } from "../machines/states.ts";
import { layersToFreeze, makeOverlays, overlaysFor, withTops } from "./layers.ts";
import { nameByPattern } from "./names.ts";

export interface SnapshotOptions {
  readonly name?: string | undefined;
  readonly description: string;
  /** Default: `user`. */
  readonly kind?: SnapshotKind | undefined;
  /** Whether it goes again when something was made of it, which needs all disks, independent ones as well; default: false. */
  readonly transient?: boolean;
  /** Whether the memory of a running machine is kept; default: true. */
  readonly memory?: boolean;
}

const TAKE_STATES = ["powered-off", "saved", "aborted", "running", "paused"] as const;

export async function takeSnapshot(
  context: ServiceContext,
  machine: Machine,
  options: SnapshotOptions,
): Promise<SnapshotRecord> {
  return machine.operate(() => takeSnapshotNow(context, machine, options));
}

/** For callers that hold the machine's operations already. */
export async function takeSnapshotNow(
  context: ServiceContext,
  machine: Machine,
  options: SnapshotOptions,
): Promise<SnapshotRecord> {
  requireState(machine.name, machine.state, TAKE_STATES, "snapshotted");
  context.keys.require(machine);
  const draft = draftSnapshot(machine, options);
  const overlays = overlaysFor(draft.layers);
  const from = machine.state;
  const title = `Taking snapshot "${draft.name}" of ${machine.name}`;
  machine.transition("snapshotting");
  try {
    await mkdir(path.join(machine.paths.snapshots, draft.id), { recursive: true });
    await syncFolder(machine.paths.snapshots);
    return await context.tasks.run({ title, machineId: machine.id, cancellable: false }, async () => {
      const taken =
        machine.vm === null
          ? await takeStill(context, machine, draft, overlays)
          : await takeLive(machine, { ...draft, memory: liveMemory(draft, options) }, overlays);
      void machine.log.write("info", `Snapshot "${taken.name}" was taken`);
      return taken;
    });
  } catch (error) {
    if (!machine.record.snapshots.some((snapshot) => snapshot.id === draft.id)) {
      await rm(path.join(machine.paths.snapshots, draft.id), { recursive: true, force: true });
    }
    throw error;
  } finally {
    // A VM process that ended meanwhile has put the machine into its state already.
    if (machine.state === "snapshotting") machine.transition(from);
    machine.publishSnapshots();
  }
}

function draftSnapshot(machine: Machine, options: SnapshotOptions): SnapshotRecord {
  const { record } = machine;
  const name = options.name?.trim() ?? nameOf(machine);
  if (name === "")
    throw new AppError("INVALID_ARGUMENT", "A snapshot needs a name", {
      field: "name",
      consequence: "No snapshot was taken.",
      remedy: "Enter a name, or leave it out to get one.",
    });
  if (name.length > 128)
    throw new AppError("INVALID_ARGUMENT", "The name is too long", {
      field: "name",
      remedy: "At most 128 characters.",
    });
  const transient = options.transient ?? false;
  return {
    id: newId(),
    parentId: record.currentSnapshotId,
    name,
    description: options.description,
    takenAtMs: Date.now(),
    config: record.config,
    layers: layersToFreeze(record.config.disks, transient),
    memory: null,
    pauseMs: null,
    writtenBytes: 0,
    hasThumbnail: false,
    kind: options.kind ?? "user",
    pinned: false,
    transient,
    deletedAtMs: null,
  };
}

const liveMemory = ({ id }: SnapshotRecord, { memory = true }: SnapshotOptions) =>
  memory ? `snapshots/${id}/memory` : null;

function nameOf({ name, record }: Machine): string {
  const { config, snapshots } = record;
  return nameByPattern(config.snapshots.namePattern, name, snapshots, new Date());
}

async function takeStill(
  context: ServiceContext,
  machine: Machine,
  draft: SnapshotRecord,
  overlays: readonly Layer[],
): Promise<SnapshotRecord> {
  await makeOverlays(context, machine, draft.layers, overlays);
  crashPoint("snapshot:layers-frozen");
  // A saved machine's snapshot has memory too: the saved state, which from now on belongs to both.
  const snapshot = { ...draft, memory: machine.record.savedState };
  await machine.update((record) => ({
    snapshots: [...record.snapshots, snapshot],
    currentSnapshotId: snapshot.id,
    changedSinceSnapshot: snapshot.transient && record.changedSinceSnapshot,
    config: { ...record.config, disks: withTops(record.config.disks, overlays) },
  }));
  crashPoint("snapshot:recorded");
  return snapshot;
}

async function takeLive(machine: Machine, draft: SnapshotRecord, overlays: readonly Layer[]): Promise<SnapshotRecord> {
  const vm = vmOf(machine);
  const { folder } = machine.paths;
  const memory = draft.memory === null ? null : path.join(folder, draft.memory);
  await machine.update(() => ({ pending: { kind: "snapshot", snapshot: draft, overlays: [...overlays] } }));
  crashPoint("snapshot:intent-recorded");
  try {
    const result = await vm.client.request("takeSnapshot", {
      folder: memory,
      parentFolder: existing(vm.memoryBase),
      overlays: overlays.map((layer) => ({ diskId: layer.diskId, file: path.join(folder, layer.file) })),
    });
    crashPoint("snapshot:layers-frozen");
    const hasThumbnail = result.thumbnailPng !== null && (await keepThumbnail(machine, draft.id, result.thumbnailPng));
    const snapshot = { ...draft, pauseMs: result.pauseMs, writtenBytes: result.writtenBytes, hasThumbnail };
    await machine.update((record) => ({
      pending: null,
      snapshots: [...record.snapshots, snapshot],
      currentSnapshotId: snapshot.id,
      changedSinceSnapshot: true,
      config: { ...record.config, disks: withTops(record.config.disks, overlays) },
    }));
    if (memory !== null) vm.memoryBase = memory;
    crashPoint("snapshot:recorded");
    return snapshot;
  } catch (error) {
    // Overlays that exist are in use by the guest and stay; the snapshot itself did not come about.
    if (vm.client.hasExited) await vm.ended;
    // Also where the process ended before the intent was recorded, so that nobody settled that.
    await forgetPending(machine);
    throw error;
  }
}

async function forgetPending(machine: Machine): Promise<void> {
  const { pending } = machine.record;
  if (pending === null) return;
  const settled = await recoverPending(machine.paths, machine.record, pending, []);
  await machine.settle(() => ({ pending: null, config: settled.config }));
}

export function thumbnailFile(machine: Machine, snapshotId: string): string {
  return path.join(machine.paths.snapshots, snapshotId, "thumbnail.png");
}

/** A thumbnail is a comfort: without one the snapshot is as good. */
async function keepThumbnail(machine: Machine, snapshotId: string, png: Uint8Array): Promise<boolean> {
  // A picture of the screen tells what encryption is to hide.
  if (machine.record.encryption !== null) return false;
  try {
    await writeFileAtomic(thumbnailFile(machine, snapshotId), png);
    return true;
  } catch {
    return false;
  }
}
