// Places a snapshot tree on a grid of rows and lanes, the way a git client draws commits: rows in the order of time with
// "Current State" last, lane 0 for the line that leads to it, side branches in the lowest lane that is free for their whole run.
//
//   row 0   o          lane 0    "Fresh"
//   row 1   |\_o       lane 1    "Experiment"   (side branch, child of row 0)
//   row 2   o  |       lane 0    "Configured"
//   row 3   @          lane 0    Current State
import type { Snapshot, SnapshotTree } from "../../../main/contract/schemas.ts";

/** Id of the last node. Snapshot ids are hexadecimal, so it can't clash. */
export const CURRENT = "current";

export interface GraphNode {
  readonly id: string;
  readonly parentId: string | null;
  readonly row: number;
  readonly lane: number;
  /** Distance from the root, for the tree semantics. */
  readonly depth: number;
}

export interface GraphLayout {
  readonly nodes: readonly GraphNode[];
  readonly lanes: number;
}

interface Item {
  readonly id: string;
  readonly parentId: string | null;
}

/** By time, but never before its parent (clocks can be set back). A snapshot whose parent is missing is a root. */
export function inOrder(snapshots: readonly Snapshot[]): Snapshot[] {
  const byId = new Map(snapshots.map((snapshot) => [snapshot.id, snapshot]));
  const places = new Map<string, { readonly atMs: number; readonly depth: number }>();
  for (const snapshot of snapshots) {
    // From the nearest ancestor whose place is known downwards, without recursion: chains may be thousands long.
    const chain: Snapshot[] = [];
    const seen = new Set<string>();
    let node: Snapshot | undefined = snapshot;
    while (node && !places.has(node.id) && !seen.has(node.id)) {
      seen.add(node.id);
      chain.push(node);
      node = node.parentId === null ? undefined : byId.get(node.parentId);
    }
    let above = node ? places.get(node.id) : undefined;
    for (const member of chain.toReversed()) {
      above = { atMs: Math.max(member.takenAtMs, above?.atMs ?? 0), depth: (above?.depth ?? -1) + 1 };
      places.set(member.id, above);
    }
  }
  const placeOf = ({ id }: Snapshot) => places.get(id) ?? { atMs: 0, depth: 0 };
  return snapshots.toSorted((a, b) => {
    const [left, right] = [placeOf(a), placeOf(b)];
    return left.atMs - right.atMs || left.depth - right.depth || a.takenAtMs - b.takenAtMs;
  });
}

/** Child of each node that stays in its lane: the one towards the current state, else the first one. */
function mainChildren(items: readonly Item[], onPath: ReadonlySet<string>): Map<string | null, string> {
  const main = new Map<string | null, string>();
  for (const { id, parentId } of items) if (!main.has(parentId) || onPath.has(id)) main.set(parentId, id);
  return main;
}

function pathTo(id: string, parents: ReadonlyMap<string, string | null>): Set<string> {
  const path = new Set<string>();
  for (let node: string | null | undefined = id; node && !path.has(node); node = parents.get(node)) path.add(node);
  return path;
}

/** Lanes as lists of occupied row intervals. */
class Lanes {
  readonly #taken: [number, number][][] = [];

  get count(): number {
    return this.#taken.length;
  }

  /** The lowest lane from `lowest` on that is free in all rows of the interval. */
  take(lowest: number, from: number, to: number): number {
    for (let lane = lowest; ; lane++) {
      const intervals = this.#taken[lane] ?? [];
      this.#taken[lane] = intervals;
      if (intervals.some(([start, end]) => start <= to && from <= end)) continue;
      intervals.push([from, to]);
      return lane;
    }
  }
}

export function layoutSnapshots(tree: SnapshotTree): GraphLayout {
  const known = new Set(tree.snapshots.map((snapshot) => snapshot.id));
  const items: Item[] = inOrder(tree.snapshots).map(({ id, parentId }) => ({
    id,
    parentId: parentId !== null && known.has(parentId) ? parentId : null,
  }));
  items.push({ id: CURRENT, parentId: tree.currentId });

  const parents = new Map(items.map((item) => [item.id, item.parentId]));
  const rows = new Map(items.map((item, row) => [item.id, row]));
  const onPath = pathTo(CURRENT, parents);
  const main = mainChildren(items, onPath);
  const lanes = new Lanes();
  const laneOf = new Map<string, number>();
  const depthOf = new Map<string, number>();

  /** Last row of the run that starts at this node and follows main children. */
  const endOfRun = (id: string): number => {
    let last = id;
    for (let next = main.get(last); next; next = main.get(last)) last = next;
    return rows.get(last) ?? 0;
  };

  // The current line first, so that it gets lane 0 whatever came before it.
  const starts = items.filter((item) => main.get(item.parentId) !== item.id || item.parentId === null);
  starts.sort((a, b) => Number(onPath.has(b.id)) - Number(onPath.has(a.id)));
  for (const { id, parentId } of starts) {
    const from = parentId === null ? (rows.get(id) ?? 0) : (rows.get(parentId) ?? 0) + 1;
    const lane = lanes.take(onPath.has(id) ? 0 : 1, from, endOfRun(id));
    for (let node: string | undefined = id; node; node = main.get(node)) laneOf.set(node, lane);
  }
  const nodes = items.map(({ id, parentId }, row): GraphNode => {
    const depth = parentId === null ? 1 : (depthOf.get(parentId) ?? 0) + 1;
    depthOf.set(id, depth);
    return { id, parentId, row, lane: laneOf.get(id) ?? 0, depth };
  });
  return { nodes, lanes: Math.max(1, lanes.count) };
}
