// Which images a machine's record stands on.
import type { Layer, MachineRecord, SnapshotRecord } from "./machine-record.ts";

export type Image = Pick<Layer, "file" | "format">;

/**
 * What a snapshot holds: the layers it froze, and disks that were read-only, which nobody may write to any more. The file of an independent
 * disk is none of that.
 */
export function imagesOfSnapshot({ layers, config }: SnapshotRecord): readonly Image[] {
  const readOnly = config.disks.filter((disk) => disk.readOnly);
  return readOnly.length === 0 ? layers : [...layers, ...readOnly];
}

/** What the machine has now: its disks, and those that were taken out of it. */
export function presentImages({ config, detachedDisks }: MachineRecord): readonly Image[] {
  return [...config.disks, ...detachedDisks.map(({ disk }) => disk)];
}

export function allImages(record: MachineRecord): readonly Image[] {
  return [...presentImages(record), ...record.snapshots.flatMap(imagesOfSnapshot)];
}
