// Names of snapshots that get no other one, by the machine's pattern: `{date} {time}`, `Snapshot {n}`, ...
import type { SnapshotRecord } from "../../store/machine-record.ts";

const NAME_MAX = 128;

/** A name that no other snapshot of the machine has. Times are those of the user's clock. */
export function nameByPattern(
  pattern: string,
  machineName: string,
  snapshots: readonly Pick<SnapshotRecord, "name">[],
  at: Date,
): string {
  const taken = new Set(snapshots.map((snapshot) => snapshot.name));
  const two = (value: number) => String(value).padStart(2, "0");
  const filled = pattern
    .replaceAll("{date}", `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`)
    .replaceAll("{time}", `${two(at.getHours())}.${two(at.getMinutes())}`)
    .replaceAll("{machine}", machineName);
  const numbered = (number: number) =>
    (filled.includes("{n}")
      ? filled.replaceAll("{n}", String(number))
      : number === 1
        ? filled
        : `${filled} (${number})`
    )
      .trim()
      .slice(-NAME_MAX);
  let number = filled.includes("{n}") ? snapshots.length + 1 : 1;
  while (taken.has(numbered(number))) number += 1;
  return numbered(number);
}
