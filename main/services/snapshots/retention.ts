// Which snapshots the rules of a machine keep (config/snapshot-settings.ts). Only those that were taken automatically and are not pinned
// are ever chosen: what a user took stays until the user deletes it.
//
// A snapshot is kept when any rule wants it: the last N, or the newest of an hour, day or week among the last N that have one. What is
// then over the budget goes from the oldest on.
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import type { SnapshotKind } from "../../contract/schemas.ts";

export interface RetentionCandidate {
  readonly id: string;
  readonly takenAtMs: number;
  readonly kind: SnapshotKind;
  readonly pinned: boolean;
  /** What deleting it gives back. */
  readonly ownBytes: number;
}

type Rules = Pick<MachineConfig, "snapshots">;

/** Enough to undo the last few steps; older ones say little. */
const SAFETY_KEPT = 5;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** 1970 began on a Thursday; weeks begin on Mondays. */
const WEEK_OFFSET_MS = 3 * DAY_MS;

/** Snapshots to delete, oldest first. `utcOffsetMs` moves the borders of days to those of the user. */
export function dispensable<T extends RetentionCandidate>(
  snapshots: readonly T[],
  config: Rules,
  utcOffsetMs: number,
): T[] {
  const newestFirst = snapshots.filter((each) => !each.pinned).toSorted((a, b) => b.takenAtMs - a.takenAtMs);
  const scheduled = newestFirst.filter((each) => each.kind === "schedule");
  const safety = newestFirst.filter((each) => each.kind === "safety");
  const kept = withinBudget(keptByRules(scheduled, config, utcOffsetMs), config.snapshots.budgetMiB * 2 ** 20);
  const keptSafety = new Set(safety.slice(0, SAFETY_KEPT));
  return newestFirst.filter((each) => each.kind !== "user" && !kept.has(each) && !keptSafety.has(each)).toReversed();
}

function keptByRules<T extends RetentionCandidate>(
  newestFirst: readonly T[],
  config: Rules,
  utcOffsetMs: number,
): Set<T> {
  const keepLast = config.snapshots.keepLast;
  const keepHourly = config.snapshots.keepHourly;
  const keepDaily = config.snapshots.keepDaily;
  const keepWeekly = config.snapshots.keepWeekly;
  if (keepLast + keepHourly + keepDaily + keepWeekly === 0) return new Set(newestFirst);
  const kept = new Set(newestFirst.slice(0, keepLast));
  const keepNewestOf = (periodMs: number, periods: number, offsetMs = 0) => {
    const seen = new Set<number>();
    for (const each of newestFirst) {
      const period = Math.floor((each.takenAtMs + utcOffsetMs + offsetMs) / periodMs);
      if (seen.has(period)) continue;
      if (seen.size >= periods) return;
      seen.add(period);
      kept.add(each);
    }
  };
  keepNewestOf(HOUR_MS, keepHourly);
  keepNewestOf(DAY_MS, keepDaily);
  keepNewestOf(7 * DAY_MS, keepWeekly, WEEK_OFFSET_MS);
  return kept;
}

/** The newest always stays: a budget that not even one fits into is no reason to have none. */
function withinBudget<T extends RetentionCandidate>(kept: ReadonlySet<T>, budgetBytes: number): Set<T> {
  if (budgetBytes === 0) return new Set(kept);
  const within = new Set<T>();
  let bytes = 0;
  for (const each of [...kept].toSorted((a, b) => b.takenAtMs - a.takenAtMs)) {
    bytes += each.ownBytes;
    if (within.size > 0 && bytes > budgetBytes) break;
    within.add(each);
  }
  return within;
}
