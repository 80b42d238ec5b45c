// What a copy is made of: a configuration, the disk layers it stands on, and the memory it continues from, if any.
import path from "node:path";
import type { DiskConfig, MachineConfig } from "../../../native-core/config/machine-config.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import { readDiskSize } from "../../store/qcow2-header.ts";
import type { Machine } from "../machines/machine.ts";
import { requireState } from "../machines/states.ts";
import { disksLeftOut, planRestore } from "../snapshots/independent.ts";
import { withTops } from "../snapshots/layers.ts";

export interface CloneSource {
  readonly config: MachineConfig;
  /** As in a configuration: files relative to the source's folder, or absolute. */
  readonly disks: readonly DiskConfig[];
  /** State folder inside the source's folder. */
  readonly memory: string | null;
  /** Bytes of disks, by id, that a snapshot holds nothing of: the copy has empty ones, so that the others stay where its guest knows them. */
  readonly empty?: ReadonlyMap<string, number>;
}

/** Of `snapshot`, which never changes, or of the machine's present, which has to be at rest. @throws AppError INVALID_STATE */
export async function cloneSource(source: Machine, snapshot: SnapshotRecord | null): Promise<CloneSource> {
  if (snapshot !== null) return snapshotSource(source, snapshot);
  requireState(source.name, source.state, ["powered-off", "saved", "aborted"], "cloned");
  const { config, savedState } = source.record;
  return { config, disks: config.disks, memory: savedState };
}

async function snapshotSource(source: Machine, snapshot: SnapshotRecord): Promise<CloneSource> {
  const { config, layers, memory } = snapshot;
  const leftOut = disksLeftOut(snapshot);
  if (leftOut.length === 0) return { config, disks: withTops(config.disks, layers), memory };
  const empty = new Map<string, number>();
  for (const { id } of leftOut) {
    const now = planRestore(source.record, snapshot).disks.find((disk) => disk.id === id);
    const bytes = now && (await readDiskSize(path.resolve(source.paths.folder, now.file), now.format));
    if (bytes) empty.set(id, bytes);
  }
  const disks = config.disks.filter((disk) => !leftOut.includes(disk) || empty.has(disk.id));
  // Memory knows what was on the disk.
  return { config, disks: withTops(disks, layers), memory: null, empty };
}
