// What a copy is made of: a configuration, the disk layers it stands on, and the memory it continues from, if any.
import type { DiskConfig, MachineConfig } from "../../../native-core/config/machine-config.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import type { Machine } from "../machines/machine.ts";
import { requireState } from "../machines/states.ts";
import { withTops } from "../snapshots/layers.ts";

export interface CloneSource {
  readonly config: MachineConfig;
  /** As in a configuration: files relative to the source's folder, or absolute. */
  readonly disks: readonly DiskConfig[];
  /** State folder inside the source's folder. */
  readonly memory: string | null;
}

/** Of `snapshot`, which never changes, or of the machine's present, which has to be at rest. @throws AppError INVALID_STATE */
export function cloneSource(source: Machine, snapshot: SnapshotRecord | null): CloneSource {
  if (snapshot !== null) {
    const { config, layers, memory } = snapshot;
    return { config, disks: withTops(config.disks, layers), memory };
  }
  requireState(source.name, source.state, ["powered-off", "saved", "aborted"], "cloned");
  const { config, savedState } = source.record;
  return { config, disks: config.disks, memory: savedState };
}
