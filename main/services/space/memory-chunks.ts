// The memory states of the machines and the chunk folders they share, for work on chunks beside running machines: compaction and repair.
import path from "node:path";
import { compactPacks, type StateInUse, unusedInPacks } from "../../../native-core/host/state/compact-packs.ts";
import { stateFolders } from "../../store/orphans.ts";
import type { ServiceContext } from "../context.ts";
import { cancelled } from "../failures.ts";
import type { Machine } from "../machines/machine.ts";
import type { TaskHandle } from "../tasks.ts";

/** Where the chunks of a machine's states are: an encrypted one shares nothing (ADR 34). */
export function chunkFolderOf(context: ServiceContext, machine: Machine): string {
  return machine.record.encryption === null ? context.store.data.chunks : machine.paths.chunks;
}

/** All states that have their chunks in the same folder as those of `machine`. One that a backup reads at the moment is left out. */
export function statesBeside(context: ServiceContext, machine: Machine): StateInUse[] {
  const isAlone = machine.record.encryption !== null;
  const owners = isAlone ? [machine] : context.registry.list().filter(({ record }) => record.encryption === null);
  return owners.flatMap((owner) => {
    const seal = context.keys.sealOf(owner);
    const folders = [...stateFolders(owner.paths, owner.record)].filter((folder) => !isBeingRead(owner, folder));
    return folders.map((folder) => ({
      folder,
      seal,
      exclusively: <T>(work: () => Promise<T>) => owner.operate(work),
    }));
  });
}

/** A snapshot for a backup or a copy is read without holding the machine's operations. */
function isBeingRead({ record, paths }: Machine, folder: string): boolean {
  return record.snapshots.some(
    (each) => each.transient && each.memory && path.join(paths.folder, each.memory) === folder,
  );
}

/** What `compactMemory` would give back. */
export async function unusedMemory(context: ServiceContext, machine: Machine): Promise<number> {
  if (machine.record.encryption !== null && machine.locked) return 0;
  const of = stateFolders(machine.paths, machine.record);
  return unusedInPacks(chunkFolderOf(context, machine), statesBeside(context, machine), of);
}

/** Rewrites the packs of the machine's memory of which little is used. What was done when it is cancelled stays done. */
export async function compactMemory(
  context: ServiceContext,
  machine: Machine,
  task: TaskHandle,
  progress: (share: number) => void,
): Promise<number> {
  if (machine.record.encryption !== null && machine.locked) return 0;
  const freed = await context.chunkWork.run(() =>
    compactPacks(chunkFolderOf(context, machine), statesBeside(context, machine), {
      of: stateFolders(machine.paths, machine.record),
      signal: AbortSignal.any([task.signal, context.closing]),
      progress,
    }),
  );
  if (task.signal.aborted) throw cancelled("Reclaiming");
  return freed;
}
