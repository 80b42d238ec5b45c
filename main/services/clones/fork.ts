// Forks: copies of a running machine that go on from the same instant as it does, with its memory.
//
// A live snapshot is taken, the copies are linked clones of it, and the snapshot goes again: layers and memory chunks stay for as long
// as one of the machines uses them. Should Terrarium end half-way, the next start forgets it.

import { availableParallelism } from "node:os";
import type { ServiceContext } from "../context.ts";
import { failureOf } from "../failures.ts";
import { validConfig } from "../machines/creation.ts";
import type { Lifecycle } from "../machines/lifecycle.ts";
import type { Machine } from "../machines/machine.ts";
import { requireState } from "../machines/states.ts";
import { forgetSnapshot } from "../snapshots/delete.ts";
import { takeSnapshotNow } from "../snapshots/take.ts";
import { copyNames, makeCopy } from "./clone.ts";
import { cloneSource } from "./clone-source.ts";

export interface ForkOptions {
  /** Default: the machine's name with "fork" behind it. */
  readonly name?: string | undefined;
  readonly count: number;
  /** Whether the copies run at once; otherwise they wait in the saved state. */
  readonly start: boolean;
}

/** The copies, in order; one that can't be started is there, saved, and says why. @throws AppError INVALID_STATE, ALREADY_EXISTS, ... */
export async function forkMachine(
  context: ServiceContext,
  lifecycle: Lifecycle,
  source: Machine,
  { name, count, start }: ForkOptions,
): Promise<Machine[]> {
  const { registry } = context;
  requireState(source.name, source.state, ["running", "paused"], "forked");
  const names = copyNames(context, name ?? registry.freeName(`${source.name} fork`), count);
  for (const each of names) registry.reserveName(validConfig({ ...source.record.config, name: each }).name).dispose();
  // Its process comes up while the memory is written.
  if (start) lifecycle.prepareStart(source);
  try {
    const copies = await source.operate(async () => {
      requireState(source.name, source.state, ["running", "paused"], "forked");
      const snapshot = await takeSnapshotNow(context, source, {
        name: `Fork of ${source.name}`.slice(0, 128),
        description: "",
        transient: true,
      });
      const title = count === 1 ? `Forking ${source.name}` : `Forking ${source.name} ${count} times`;
      return context.tasks.run({ title, machineId: source.id, cancellable: false }, async (task) => {
        const from = await cloneSource(source, snapshot);
        const made: Machine[] = [];
        try {
          for (const [index, each] of names.entries()) {
            made.push(await makeCopy(context, source, from, each, "fork", task));
            task.progress((index + 1) / names.length);
          }
        } finally {
          await forgetSnapshot(context, source, snapshot);
        }
        return made;
      });
    });
    if (start) await startForks(lifecycle, copies);
    return copies;
  } finally {
    lifecycle.cancelPreparedStart();
  }
}

/** As many at once as the host has processors: starting is work for one. */
async function startForks(lifecycle: Lifecycle, copies: readonly Machine[]): Promise<void> {
  const waiting = copies.values();
  const startNext = async () => {
    for (const copy of waiting) await startFork(lifecycle, copy);
  };
  await Promise.all(Array.from({ length: Math.min(copies.length, availableParallelism()) }, startNext));
}

async function startFork(lifecycle: Lifecycle, copy: Machine): Promise<void> {
  try {
    await lifecycle.start(copy);
  } catch (error) {
    // The record tells the reason; the other copies are not its fault.
    void copy.log.write("error", `The fork could not be started: ${failureOf(error).message}`);
  }
}
