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

/** As the host usually has them: by time, each after its parent. */
function isInOrder(snapshots: readonly Snapshot[]): boolean {
  const later = new Set(snapshots.map(({ id }) => id));
  let before = Number.NEGATIVE_INFINITY;
  for (const { id, parentId, takenAtMs } of snapshots) {
    if (takenAtMs < before || (parentId !== null && later.has(parentId))) return false;
    later.delete(id);
    before = takenAtMs;
  }
  return true;
}

/** By time, but never before its parent (clocks can be set back). A snapshot whose parent is missing is a root. */
export function inOrder(snapshots: readonly Snapshot[]): readonly Snapshot[] {
  if (isInOrder(snapshots)) return snapshots;
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

/** No row. */
const NONE = -1;

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

/** Thousands of snapshots are placed within a frame, so everything is told by row numbers. */
export function layoutSnapshots(tree: SnapshotTree): GraphLayout {
  const ordered = inOrder(tree.snapshots);
  const rowOf = new Map(ordered.map(({ id }, row) => [id, row]));
  const rowNamed = (id: string | null): number => (id === null ? NONE : (rowOf.get(id) ?? NONE));
  const last = ordered.length;
  const parents = Int32Array.from([...ordered.map(({ parentId }) => rowNamed(parentId)), rowNamed(tree.currentId)]);
  const onPath = new Uint8Array(last + 1);
  for (let row = last; row !== NONE && onPath[row] === 0; row = parents[row] ?? NONE) onPath[row] = 1;

  // The child of each row that stays in its lane: the one towards the current state, else the first one.
  const main = new Int32Array(last + 1).fill(NONE);
  for (const [row, parent] of parents.entries()) {
    if (parent !== NONE && (main[parent] === NONE || onPath[row] === 1)) main[parent] = row;
  }
  const lanes = new Lanes();
  const laneOf = new Int32Array(last + 1);
  const place = (start: number): void => {
    const run: number[] = [];
    for (let row = start; row !== NONE; row = main[row] ?? NONE) run.push(row);
    const parent = parents[start] ?? NONE;
    const from = parent === NONE ? start : parent + 1;
    const lane = lanes.take(onPath[start] === 1 ? 0 : 1, from, run.at(-1) ?? start);
    for (const row of run) laneOf[row] = lane;
  };
  const starts: number[] = [];
  for (const [row, parent] of parents.entries()) if (parent === NONE || main[parent] !== row) starts.push(row);
  // The current line first, so that it gets lane 0 whatever came before it.
  for (const row of starts) if (onPath[row] === 1) place(row);
  for (const row of starts) if (onPath[row] === 0) place(row);

  const depths = new Int32Array(last + 1);
  const idOf = (row: number): string => ordered[row]?.id ?? CURRENT;
  const nodes = Array.from(parents, (parent, row): GraphNode => {
    const depth = parent === NONE ? 1 : (depths[parent] ?? 0) + 1;
    depths[row] = depth;
    return { id: idOf(row), parentId: parent === NONE ? null : idOf(parent), row, lane: laneOf[row] ?? 0, depth };
  });
  return { nodes, lanes: Math.max(1, lanes.count) };
}
