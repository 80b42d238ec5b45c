// Snapshots that nobody asks for: by the clock, before a start, before something that a user may regret.
import path from "node:path";
import { isAppError } from "../../../native-core/common/errors.ts";
import type { ServiceContext } from "../context.ts";
import type { Lifecycle, StartOptions } from "../machines/lifecycle.ts";
import type { Machine } from "../machines/machine.ts";
import { isStill, requireNoTemplate } from "../machines/states.ts";
import type { ClockWork } from "../schedule.ts";
import { freezesElsewhere } from "./layers.ts";
import { pruneNow } from "./prune.ts";
import { takeSnapshotNow } from "./take.ts";
import { currentSnapshot, isChanged } from "./visible.ts";

/** Snapshots by the clock. */
export function scheduledSnapshots(context: ServiceContext): ClockWork {
  return {
    name: "snapshot",
    isDue,
    run: (machine) =>
      machine.operate(async () => {
        if (machine.state !== "running") return;
        await takeSnapshotNow(context, machine, { description: "", kind: "schedule" });
        await pruneNow(context, machine);
      }),
  };
}

function isDue(machine: Machine, nowMs: number, failedAtMs: number): boolean {
  const { config, snapshots } = machine.record;
  const everyMinutes = config.snapshots.everyMinutes;
  if (everyMinutes === 0 || machine.vm === null || machine.state !== "running" || machine.operations.busy) return false;
  // Since it runs, or since the last one: a machine that was just started has nothing new to keep.
  const taken = snapshots.filter((snapshot) => snapshot.kind === "schedule").map((snapshot) => snapshot.takenAtMs);
  return nowMs - Math.max(machine.vm.startedAtMs, failedAtMs, ...taken) >= everyMinutes * 60_000;
}

/**
 * Starts a machine, after a snapshot where its settings want one or where it boots from a disc that it had not at its last snapshot. Yields
 * the snapshot to undo such a boot with.
 */
export async function startMachine(
  context: ServiceContext,
  lifecycle: Lifecycle,
  machine: Machine,
  options: StartOptions = {},
): Promise<string | null> {
  return machine.operate(async () => {
    requireNoTemplate(machine, "started");
    const { config } = machine.record;
    const boots = isStill(machine.state) && machine.state !== "saved";
    const disc = boots ? newBootDisc(machine) : null;
    let undo: string | null = null;
    if (boots && config.snapshots.beforeStart && isChanged(machine.record)) {
      const { id } = await takeSnapshotNow(context, machine, { description: "Before a start", kind: "schedule" });
      await pruneNow(context, machine);
      if (disc !== null) undo = id;
    } else if (disc !== null) undo = await safetySnapshot(context, machine, `booting from ${path.basename(disc)}`);
    await lifecycle.startNow(machine, options);
    return undo;
  });
}

/** What is on a disc that boots before the disks may write to them: an installer for instance. */
function newBootDisc({ record }: Machine): string | null {
  const { config, generationId } = record;
  const disc = config.opticalDrives.find(({ file }) => file !== null)?.file ?? null;
  // Before its first start a machine has nothing to lose.
  const first = config.boot.order.find((kind) => kind !== "network");
  if (disc === null || generationId === null || config.boot.kernel !== null || first !== "cdrom") return null;
  return currentSnapshot(record)?.config.opticalDrives.some(({ file }) => file === disc) ? null : disc;
}

/**
 * Before something risky: a snapshot to go back to, or the current one where nothing changed since. Null when the machine wants none, or
 * when it can't be taken: that must not keep anybody from what they wanted to do. The caller holds the machine's operations.
 */
export async function safetySnapshot(context: ServiceContext, machine: Machine, act: string): Promise<string | null> {
  const { config } = machine.record;
  if (!config.snapshots.safety || freezesElsewhere(machine, false)) return null;
  if (!isChanged(machine.record)) return currentSnapshot(machine.record)?.id ?? null;
  try {
    const name = `Before ${act}`.slice(0, 128);
    const { id } = await takeSnapshotNow(context, machine, { name, description: "", kind: "safety" });
    await pruneNow(context, machine);
    return id;
  } catch (error) {
    if (!isAppError(error)) throw error;
    void machine.log.write("warn", `No safety snapshot before ${act}: ${error.message}`);
    return null;
  }
}
