import { describe, expect, it } from "vitest";
import { nameByPattern } from "../../../main/services/snapshots/names.ts";
import { dispensable, type RetentionCandidate } from "../../../main/services/snapshots/retention.ts";
import { type SnapshotSettings, snapshotSettingsSchema } from "../../../native-core/config/snapshot-settings.ts";

const HOUR = 3_600_000;
/** A Wednesday, 12:00 UTC. */
const NOON = Date.UTC(2026, 6, 29, 12);

const rules = (change: Partial<SnapshotSettings>) => ({
  snapshots: { ...snapshotSettingsSchema.parse({}), ...change },
});

function scheduled(hoursAgo: number, change: Partial<RetentionCandidate> = {}): RetentionCandidate {
  return {
    id: `${hoursAgo}h`,
    takenAtMs: NOON - hoursAgo * HOUR,
    kind: "schedule",
    pinned: false,
    ownBytes: 2 ** 20,
    ...change,
  };
}

const ids = (snapshots: readonly RetentionCandidate[]) => snapshots.map((snapshot) => snapshot.id);

describe("retention", () => {
  it("keeps everything while there are no rules", () => {
    expect(dispensable([scheduled(1), scheduled(2), scheduled(9999)], rules({}), 0)).toEqual([]);
  });

  it("never chooses what a user took or pinned", () => {
    const snapshots = [scheduled(1), scheduled(2, { pinned: true }), scheduled(3, { kind: "user" }), scheduled(4)];
    expect(ids(dispensable(snapshots, rules({ keepLast: 1 }), 0))).toEqual(["4h"]);
  });

  it("keeps the last N, oldest to go first", () => {
    const snapshots = [4, 1, 3, 2, 5].map((hours) => scheduled(hours));
    expect(ids(dispensable(snapshots, rules({ keepLast: 2 }), 0))).toEqual(["5h", "4h", "3h"]);
  });

  it("keeps the newest of each of the last hours that have one", () => {
    const snapshots = [0.1, 0.5, 1.2, 5.5].map((hours) => scheduled(hours));
    expect(ids(dispensable(snapshots, rules({ keepHourly: 2 }), 0))).toEqual(["5.5h", "0.5h"]);
  });

  it("keeps the newest of each day of the user and of each week from Monday on", () => {
    const snapshots = [1, 11, 13, 60, 61, 200].map((hours) => scheduled(hours));
    expect(ids(dispensable(snapshots, rules({ keepDaily: 2 }), 0))).toEqual(["200h", "61h", "60h", "11h"]);
    // Two hours east, 13 hours ago was already today.
    expect(ids(dispensable(snapshots, rules({ keepDaily: 1 }), 2 * HOUR))).toContain("13h");
    expect(ids(dispensable(snapshots, rules({ keepWeekly: 2 }), 0))).toEqual(["200h", "60h", "13h", "11h"]);
  });

  it("adds up what rules want", () => {
    const snapshots = [0, 1, 2, 30, 31].map((hours) => scheduled(hours));
    expect(ids(dispensable(snapshots, rules({ keepLast: 2, keepDaily: 2 }), 0))).toEqual(["31h", "2h"]);
  });

  it("stays within the budget by giving up the oldest, but for the newest one", () => {
    const snapshots = [1, 2, 3].map((hours) => scheduled(hours, { ownBytes: 3 * 2 ** 20 }));
    expect(ids(dispensable(snapshots, rules({ budgetMiB: 6 }), 0))).toEqual(["3h"]);
    expect(ids(dispensable(snapshots, rules({ budgetMiB: 1 }), 0))).toEqual(["3h", "2h"]);
  });

  it("keeps five safety snapshots whatever the rules for scheduled ones", () => {
    const snapshots = Array.from({ length: 7 }, (_, index) => scheduled(index, { kind: "safety" }));
    expect(ids(dispensable(snapshots, rules({ keepLast: 1 }), 0))).toEqual(["6h", "5h"]);
  });
});

describe("names by pattern", () => {
  const at = new Date(2026, 6, 9, 8, 5);
  const named = (...names: string[]) => names.map((name) => ({ name }));

  it("count on from the snapshots there are", () => {
    expect(nameByPattern("Snapshot {n}", "vm", [], at)).toBe("Snapshot 1");
    expect(nameByPattern("Snapshot {n}", "vm", named("Snapshot 2", "x"), at)).toBe("Snapshot 3");
    expect(nameByPattern("Snapshot {n}", "vm", named("Snapshot 2"), at)).toBe("Snapshot 3");
  });

  it("hold the date, the time and the machine's name", () => {
    expect(nameByPattern("{machine} {date} {time}", "vm", [], at)).toBe("vm 2026-07-09 08.05");
  });

  it("are unique without a number, too", () => {
    expect(nameByPattern("daily", "vm", named("daily", "daily (2)"), at)).toBe("daily (3)");
  });

  it("are not too long", () => {
    expect(nameByPattern("{machine} {n}", "x".repeat(128), [], at)).toHaveLength(128);
  });
});
