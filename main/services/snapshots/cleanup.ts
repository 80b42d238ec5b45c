// Gives space back when a machine is at rest: memory states and disk layers that nothing refers to any more. Runs in the background,
// gives way to every other operation and can be cut off anywhere: nothing it does changes what a snapshot or the machine reads.
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { isAppError } from "../../../native-core/common/errors.ts";
import { crashPoint } from "../../store/crash-points.ts";
import { stateFolders } from "../../store/orphans.ts";
import type { ServiceContext } from "../context.ts";
import { failureOf } from "../failures.ts";
import type { Machine } from "../machines/machine.ts";
import { isStill } from "../machines/states.ts";
import { usageOf } from "../space/usage.ts";
import { backingLinks, namedLayers } from "./layers.ts";

/** Layers of a machine from which on also shared ones are merged: each costs a look-up per read, and 256 are the limit. */
const CHAIN_LONG = 64;

/** Queues a clean-up behind whatever the machine is doing. Does nothing when one is under way. */
export function scheduleCleanup(context: ServiceContext, machine: Machine): void {
  if (machine.cleanup !== null || context.closing.aborted) return;
  const controller = new AbortController();
  machine.cleanup = controller;
  const run = machine.operations.run(async () => {
    if (!controller.signal.aborted && isStill(machine.state)) await cleanUp(context, machine, controller.signal);
  });
  void run
    .catch((error: unknown) => machine.log.write("warn", `Clean-up: ${failureOf(error).message}`))
    .then(() => {
      machine.cleanup = null;
      if (controller.signal.aborted && existsSync(machine.paths.folder)) scheduleCleanup(context, machine);
    });
}

async function cleanUp(context: ServiceContext, machine: Machine, signal: AbortSignal): Promise<void> {
  await removeStates(machine);
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

interface Merge {
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
  const children = new Map<string, string[]>();
  for (const [child, layer] of links) children.set(layer, [...(children.get(layer) ?? []), child]);
  for (const [layer, standing] of children) {
    const own = layer.startsWith(machine.paths.disks + path.sep);
    const child = standing[0];
    if (!own || named.has(layer) || standing.length !== 1 || child === undefined) continue;
    if ((await usageOf(child)).links === 1 && (isLong || (await usageOf(layer)).links === 1)) return { layer, child };
  }
  return null;
}

/** False when it was cancelled. */
async function merge(context: ServiceContext, machine: Machine, link: Merge, signal: AbortSignal): Promise<boolean> {
  try {
    const options = { title: `Merging disk layers of ${machine.name}`, machineId: machine.id, cancellable: false };
    await context.tasks.run(options, (task) =>
      context.images.pullFromBacking(link.child, {
        signal,
        progress: (share) => {
          if (share === 1) crashPoint("merge:data-copied");
          task.progress(share);
        },
      }),
    );
  } catch (error) {
    if (isAppError(error) && error.code === "CANCELLED") return false;
    throw error;
  }
  crashPoint("merge:backing-switched");
  await rm(link.layer, { force: true });
  return true;
}
