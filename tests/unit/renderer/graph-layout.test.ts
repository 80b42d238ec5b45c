import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Snapshot, SnapshotTree } from "../../../main/contract/schemas.ts";
import { CURRENT, inOrder, layoutSnapshots } from "../../../renderer/features/snapshots/graph-layout.ts";

function snapshot(id: string, parentId: string | null, takenAtMs: number): Snapshot {
  return {
    id,
    machineId: "0123456789ab",
    parentId,
    name: id,
    description: "",
    takenAtMs,
    withMemory: true,
    ownBytes: 0,
    hasThumbnail: false,
    pauseMs: null,
    kind: "user",
    pinned: false,
    keptDisks: [],
    memoryFits: true,
  };
}

function tree(snapshots: Snapshot[], currentId: string | null): SnapshotTree {
  return { snapshots, currentId, currentChanged: true };
}

const placed = (input: SnapshotTree) =>
  Object.fromEntries(layoutSnapshots(input).nodes.map((node) => [node.id, `${node.row}:${node.lane}`]));

describe("layout of a snapshot tree", () => {
  test("a chain is one lane in the order of time, with the current state last", () => {
    const chain = [snapshot("a", null, 1), snapshot("b", "a", 2), snapshot("c", "b", 3)];
    expect(placed(tree(chain, "c"))).toEqual({ a: "0:0", b: "1:0", c: "2:0", [CURRENT]: "3:0" });
  });

  test("the line to the current state keeps lane 0 and the other branch steps aside", () => {
    const branched = [snapshot("a", null, 1), snapshot("b", "a", 2), snapshot("c", "b", 3), snapshot("d", "a", 4)];
    expect(placed(tree(branched, "d"))).toEqual({ a: "0:0", b: "1:1", c: "2:1", d: "3:0", [CURRENT]: "4:0" });
  });

  test("going back to the root leaves the whole chain in a side lane", () => {
    const chain = [snapshot("a", null, 1), snapshot("b", "a", 2)];
    expect(placed(tree(chain, "a"))).toEqual({ a: "0:0", b: "1:1", [CURRENT]: "2:0" });
  });

  test("a lane is used again below the branch that ended", () => {
    const branches = [
      snapshot("a", null, 1),
      snapshot("x", "a", 2),
      snapshot("b", "a", 3),
      snapshot("y", "b", 4),
      snapshot("c", "b", 5),
    ];
    expect(layoutSnapshots(tree(branches, "c")).lanes).toBe(2);
  });

  test("a parent stands above its child even when the clock was set back", () => {
    expect(inOrder([snapshot("child", "parent", 1), snapshot("parent", null, 9)]).map(({ id }) => id)).toEqual([
      "parent",
      "child",
    ]);
  });

  test("a snapshot whose parent is gone is a root, and nothing is lost", () => {
    const { nodes } = layoutSnapshots(tree([snapshot("orphan", "gone", 1)], null));
    expect(nodes.map(({ id, parentId }) => [id, parentId])).toEqual([
      ["orphan", null],
      [CURRENT, null],
    ]);
  });

  test("two thousand snapshots are laid out within a frame or two", () => {
    const many = Array.from({ length: 2000 }, (_, index) =>
      snapshot(`s${index}`, index === 0 ? null : `s${Math.floor(index / 3)}`, index),
    );
    const startedAt = performance.now();
    expect(layoutSnapshots(tree(many, "s1999")).nodes).toHaveLength(2001);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });

  test("any tree: every snapshot once, parents above children, no two lines on the same place", () => {
    const parents = fc.array(fc.nat(), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(parents, fc.nat(), (picks, current) => {
        const snapshots = picks.map((pick, index) =>
          snapshot(`s${index}`, index === 0 ? null : `s${pick % index}`, index),
        );
        const { nodes } = layoutSnapshots(tree(snapshots, `s${current % snapshots.length}`));
        expect(nodes.map(({ id }) => id).toSorted()).toEqual([...snapshots.map(({ id }) => id), CURRENT].toSorted());
        const byId = new Map(nodes.map((node) => [node.id, node]));
        const occupied = new Map<string, string>();
        for (const node of nodes) {
          const parent = node.parentId === null ? undefined : byId.get(node.parentId);
          if (!parent) continue;
          expect(parent.row).toBeLessThan(node.row);
          for (let row = parent.row + 1; row <= node.row; row++) {
            const place = `${row}:${node.lane}`;
            expect(occupied.get(place) ?? node.id).toBe(node.id);
            occupied.set(place, node.id);
          }
        }
      }),
    );
  });
});
