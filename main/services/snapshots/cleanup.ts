// Gives space back: memory states, disk layers and handed discs that nothing refers to any more. Runs in the background, at rest or beside a running
// guest, gives way to every other operation and can be cut off anywhere: nothing it does changes what a snapshot or the machine reads.
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { isAppError } from "../../../native-core/common/errors.ts";
import { settleRelocation } from "../../../native-core/host/state/relocate-state.ts";
import { crashPoint } from "../../store/crash-points.ts";
import type { Image } from "../../store/images.ts";
import { stateFolders } from "../../store/orphans.ts";
import type { ServiceContext } from "../context.ts";
import { cancelled, failureOf } from "../failures.ts";
import type { Machine } from "../machines/machine.ts";
import { isStill } from "../machines/states.ts";
import { removeHanded } from "../media/handed-discs.ts";
import { usageOf } from "../space/usage.ts";
import type { TaskHandle } from "../tasks.ts";
import { backingLinks, backingLinksOf, diskOnTop, disksAbove, namedLayers } from "./layers.ts";

/** Layers of a machine from which on also shared ones are merged: each costs a look-up per read, and 256 are the limit. */
const CHAIN_LONG = 64;

/** Machines whose clean-up was asked for while one was under way. */
const again = new WeakSet<Machine>();

/** Queues a clean-up behind whatever the machine is doing. While one is under way, another one follows it. */
export function scheduleCleanup(context: ServiceContext, machine: Machine): void {
  if (context.closing.aborted) return;
  if (machine.cleanup !== null) {
    again.add(machine);
    return;
  }
  const controller = new AbortController();
  machine.cleanup = controller;
  const run = machine.operations.run(async () => {
    if (!controller.signal.aborted && canCleanUp(machine)) await cleanUp(context, machine, controller.signal);
  });
  void run
    .catch((error: unknown) => machine.log.write("warn", `Clean-up: ${failureOf(error).message}`))
    .then(() => {
      machine.cleanup = null;
      const isWanted = again.delete(machine) || controller.signal.aborted;
      if (isWanted && existsSync(machine.paths.folder)) scheduleCleanup(context, machine);
    });
}

/** Layers that a snapshot or a disk stood on that is gone. */
const dropped = new WeakMap<Machine, readonly Image[]>();

/** The next clean-up deletes these layers, and those below them, if nothing else stands on them. */
export function dropLayers(machine: Machine, layers: readonly Image[]): void {
  dropped.set(machine, [...(dropped.get(machine) ?? []), ...layers]);
}

async function removeDropped(machine: Machine): Promise<void> {
  const tops = dropped.get(machine);
  if (tops === undefined) return;
  const links = await backingLinks(machine);
  const used = new Set([...namedLayers(machine), ...links.keys(), ...links.values()]);
  const gone = (await backingLinksOf(machine, tops)).files.filter((file) => !used.has(file));
  for (const file of gone) if (file.startsWith(machine.paths.disks + path.sep)) await rm(file, { force: true });
  dropped.delete(machine);
}

function canCleanUp(machine: Machine): boolean {
  return isStill(machine.state) || (machine.vm !== null && ["running", "paused"].includes(machine.state));
}

async function cleanUp(context: ServiceContext, machine: Machine, signal: AbortSignal): Promise<void> {
  for (const folder of stateFolders(machine.paths, machine.record)) settleRelocation(folder);
  await removeStates(machine);
  await removeGivenUp(machine);
  await removeDropped(machine);
  await removeHanded(machine);
  for (let link = await nextMerge(machine); link !== null && !signal.aborted; link = await nextMerge(machine)) {
    if (!(await merge(context, machine, link, signal))) return;
  }
}

/** Deletes memory states that nothing refers to. The caller holds the machine's operations: none is being written. */
export async function removeStates(machine: Machine): Promise<void> {
  const { paths } = machine;
  const used = [...stateFolders(paths, machine.record)];
  const snapshots = new Set(machine.record.snapshots.map((snapshot) => snapshot.id));
  const isUsed = (folder: string) => used.some((state) => state === folder || state.startsWith(folder + path.sep));
  for (const parent of [paths.savedState, paths.snapshots]) {
    for (const name of await readdir(parent).catch(() => [])) {
      const folder = path.join(parent, name);
      if (parent === paths.snapshots && snapshots.has(name)) continue;
      // What the system still holds on to goes with the next clean-up.
      if (!isUsed(folder)) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

/** Deletes memory of snapshots that are there without it by now (integrity/drop-memory.ts). */
async function removeGivenUp({ record, paths }: Machine): Promise<void> {
  for (const { id, memory } of record.snapshots) {
    const folder = path.join(paths.snapshots, id);
    const entries = memory === null ? await readdir(folder, { withFileTypes: true }).catch(() => []) : [];
    for (const entry of entries.filter((each) => each.isDirectory())) {
      await rm(path.join(folder, entry.name), { recursive: true, force: true });
    }
  }
}

export interface Merge {
  /** The layer that is going away, and the only one that stands on it. */
  readonly layer: string;
  readonly child: string;
}

/**
 * A layer of our own that no snapshot names and that exactly one other layer stands on. Layers that other machines share (ADR 22) are
 * neither changed nor merged away, which would free nothing; in a chain that has become long they are, for the sake of its reader.
 */
async function nextMerge(machine: Machine): Promise<Merge | null> {
  const named = namedLayers(machine);
  const links = await backingLinks(machine);
  const isLong = links.size >= CHAIN_LONG;
  for (const { layer, child } of soleChildren(machine, links)) {
    if (named.has(layer) || (await usageOf(child)).links !== 1) continue;
    if (isLong || (await usageOf(layer)).links === 1) return { layer, child };
  }
  return null;
}

/** The machine's own layers that exactly one other layer stands on. */
export function soleChildren(machine: Machine, links: ReadonlyMap<string, string>): Merge[] {
  const children = new Map<string, string[]>();
  for (const [child, layer] of links) children.set(layer, [...(children.get(layer) ?? []), child]);
  return [...children].flatMap(([layer, [child, ...others]]) =>
    child !== undefined && others.length === 0 && layer.startsWith(machine.paths.disks + path.sep)
      ? [{ layer, child }]
      : [],
  );
}

/** False when it gave way or was cancelled. */
async function merge(context: ServiceContext, machine: Machine, link: Merge, signal: AbortSignal): Promise<boolean> {
  const options = { title: `Merging disk layers of ${machine.name}`, machineId: machine.id, cancellable: true };
  const stepProgress = (task: TaskHandle) => (share: number) => {
    if (share === 1) crashPoint("merge:data-copied");
    task.progress(share);
  };
  try {
    await context.tasks.run(options, async (task) => {
      const stop = AbortSignal.any([signal, task.signal]);
      const progress = stepProgress(task);
      const top = diskOnTop(machine, link.child);
      // The file of a running machine's top layer is its VM process's alone; those below are only read there.
      if (machine.vm !== null && top !== null) await mergeLive(machine, top, link.layer, stop, progress);
      else {
        await context.images.pullFromBacking(link.child, { signal: stop, progress });
        for (const diskId of machine.vm === null ? [] : await disksAbove(machine, link.child)) {
          await machine.vm?.client.request("reopenLayers", { diskId });
        }
      }
    });
  } catch (error) {
    if (isAppError(error) && error.code === "CANCELLED") return false;
    throw error;
  }
  crashPoint("merge:backing-switched");
  await rm(link.layer, { force: true });
  return true;
}

async function mergeLive(
  machine: Machine,
  diskId: string,
  layer: string,
  signal: AbortSignal,
  progress: (share: number) => void,
): Promise<void> {
  for (let offset = 0; ; ) {
    if (signal.aborted) throw cancelled("Merging");
    const vm = machine.vm;
    if (vm === null) throw cancelled("Merging");
    const step = await vm.client.request("mergeStep", { diskId, layer, offset });
    progress(step.offset / step.sizeBytes);
    if (step.done) return;
    offset = step.offset;
  }
}
