// What differs between two snapshots, or a snapshot and now: settings, and files inside of the guest's disks, read from the layers without
// help of the guest.
import path from "node:path";
import { isAppError } from "../../../native-core/common/errors.ts";
import { changedFields, settingValue } from "../../../native-core/config/changes.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import {
  compareFileSystems,
  type FoundFileSystem,
  fileSystemsOf,
} from "../../../native-core/media/file-systems/open.ts";
import type { DiskDiff, PartitionDiff, SnapshotDiff } from "../../contract/schemas.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import type { ServiceContext } from "../context.ts";
import type { OpenedImage } from "../disks/disk-images.ts";
import { cancelled } from "../failures.ts";
import type { Machine } from "../machines/machine.ts";
import { requireState } from "../machines/states.ts";
import { disksLeftOut } from "./independent.ts";
import { freezesElsewhere, withTops } from "./layers.ts";
import { atThisMoment } from "./moment.ts";

/** Changes that are told one by one; more than that nobody reads. */
const CHANGES_MAX = 20_000;

/** `to` null is now. Of a running machine that is what its disks have at this moment; the guest goes on. */
export async function diffSnapshots(
  context: ServiceContext,
  machine: Machine,
  from: SnapshotRecord,
  to: SnapshotRecord | null,
): Promise<SnapshotDiff> {
  const before = momentOf(from);
  const excluded = new Set([from, ...(to === null ? [] : [to])].flatMap(disksLeftOut).map(({ id }) => id));
  if (to !== null) return compare(context, machine, before, momentOf(to), excluded);
  if (isRunning(machine) && !freezesElsewhere(machine, true)) {
    return atThisMoment(context, machine, { purpose: "Comparison", memory: false }, (now) =>
      compare(context, machine, before, momentOf(now), excluded),
    );
  }
  return machine.operate(async () => {
    requireState(machine.name, machine.state, ["powered-off", "saved", "aborted"], "compared with its snapshot");
    return compare(context, machine, before, machine.record.config, excluded);
  });
}

const isRunning = ({ state }: Machine) => state === "running" || state === "paused";

/** The configuration of a snapshot with the disk layers as they were, without the disks that it holds nothing of. */
export function momentOf(snapshot: SnapshotRecord): MachineConfig {
  const excluded = disksLeftOut(snapshot);
  const disks = snapshot.config.disks.filter((disk) => !excluded.includes(disk));
  return { ...snapshot.config, disks: withTops(disks, snapshot.layers) };
}

async function compare(
  context: ServiceContext,
  machine: Machine,
  before: MachineConfig,
  after: MachineConfig,
  excluded: ReadonlySet<string>,
): Promise<SnapshotDiff> {
  const settings = changedFields(before, after).filter((field) => field.path !== "disks");
  const ids = [...new Set([...[...before.disks, ...after.disks].map((disk) => disk.id), ...excluded])];
  const options = { title: `Comparing states of ${machine.name}`, machineId: machine.id, cancellable: true };
  const disks = await context.tasks.run(options, async (task) => {
    const compared: DiskDiff[] = [];
    for (const [index, diskId] of ids.entries()) {
      if (task.signal.aborted) throw cancelled("The comparison");
      if (excluded.has(diskId)) compared.push({ diskId, change: "excluded", partitions: [] });
      else compared.push(await compareDisk(context, machine, diskId, before, after));
      task.progress((index + 1) / ids.length);
    }
    return compared;
  });
  return {
    settings: settings.map(({ path: key, label }) => ({
      path: key,
      label,
      before: settingValue(before, key),
      after: settingValue(after, key),
    })),
    disks,
  };
}

async function compareDisk(
  context: ServiceContext,
  machine: Machine,
  diskId: string,
  before: MachineConfig,
  after: MachineConfig,
): Promise<DiskDiff> {
  const [from, to] = [diskOf(before, diskId), diskOf(after, diskId)];
  const change =
    from === undefined ? "added" : to === undefined ? "removed" : from.file === to.file ? "same" : "changed";
  if (change === "same" || from === undefined || to === undefined) return { diskId, change, partitions: [] };
  return withImage(context, machine, from, (old) =>
    withImage(context, machine, to, async (now) => {
      const [olds, nows] = [await fileSystemsOf(old), await fileSystemsOf(now)];
      const numbers = [...new Set([...olds, ...nows].map((found) => found.partition.number))].sort((a, b) => a - b);
      const partitions: PartitionDiff[] = [];
      for (const number of numbers) partitions.push(await comparePartition(number, olds, nows));
      return { diskId, change, partitions };
    }),
  );
}

async function comparePartition(
  number: number,
  olds: readonly FoundFileSystem[],
  nows: readonly FoundFileSystem[],
): Promise<PartitionDiff> {
  const of = (all: readonly FoundFileSystem[]) => all.find((found) => found.partition.number === number)?.fileSystem;
  const [old, now] = [of(olds), of(nows)];
  const { kind, label } = now ?? old ?? { kind: "ext4" as const, label: "" };
  try {
    const changes = await compareFileSystems(old, now);
    const problem = null;
    return { number, fileSystem: kind, label, changes: changes.slice(0, CHANGES_MAX), total: changes.length, problem };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { number, fileSystem: kind, label, changes: [], total: 0, problem: error.message };
  }
}

const diskOf = (config: MachineConfig, diskId: string) => config.disks.find((disk) => disk.id === diskId);

/** Opens a disk of the machine for as long as `work` takes. */
export async function withImage<T>(
  context: ServiceContext,
  machine: Machine,
  disk: { readonly file: string; readonly format: "qcow2" | "raw" },
  work: (image: OpenedImage) => Promise<T>,
): Promise<T> {
  const image = await context.images.open(path.resolve(machine.paths.folder, disk.file), disk.format);
  try {
    return await work(image);
  } finally {
    await image.close();
  }
}
