// What dropping rows of the machine list somewhere means: the group they go to, and the order of their new neighbours.
import { type GroupRow, groupKey, groupName, groupOfRow, joinGroup, type ListRow } from "./list-model.ts";

type DropPlace = "before" | "after" | "into";

export interface DropPlan {
  /** Group the rows go to; "" is the top of the list. */
  readonly group: string;
  readonly machineIds: readonly string[];
  /** Groups that get a new path, as [from, to]. */
  readonly renames: readonly (readonly [string, string])[];
  /** Keys of everything in that group afterwards, in order. */
  readonly siblings: readonly string[];
}

/** The part of a row that the pointer is over. A group takes things in with its middle, a machine has only edges. */
export function dropPlace(row: ListRow, offset: number, height: number): DropPlace {
  if (row.kind === "machine") return offset < height / 2 ? "before" : "after";
  const edge = height / 4;
  return offset < edge ? "before" : "into";
}

/** Null where it would change nothing or put a group into itself. `target` null is the free space below the list. */
export function planDrop(
  rows: readonly ListRow[],
  dragged: readonly string[],
  target: ListRow | null,
  place: DropPlace,
): DropPlan | null {
  const moved = rows.filter((row) => dragged.includes(row.id));
  if (moved.length === 0 || (target && dragged.includes(target.id))) return null;
  const into = place === "into" && target?.kind === "group" ? target : null;
  const group = target === null ? "" : into ? into.path : groupOfRow(target);
  const groups = moved.filter((row): row is GroupRow => row.kind === "group");
  if (groups.some(({ path }) => group === path || group.startsWith(`${path}/`))) return null;
  const renames = groups.map(({ path }) => [path, joinGroup(group, groupName(path))] as const);
  const newKey = (row: ListRow) => (row.kind === "group" ? groupKey(joinGroup(group, groupName(row.path))) : row.id);
  const others = rows.filter((row) => groupOfRow(row) === group && !dragged.includes(row.id)).map((row) => row.id);
  const at = into || target === null ? others.length : others.indexOf(target.id) + (place === "after" ? 1 : 0);
  return {
    group,
    machineIds: moved.flatMap((row) => (row.kind === "machine" ? [row.id] : [])),
    renames: renames.filter(([from, to]) => from !== to),
    siblings: others.toSpliced(at, 0, ...moved.map(newKey)),
  };
}

/** The user's order with these siblings in their new sequence. */
export function withSiblings(order: readonly string[], siblings: readonly string[]): string[] {
  const placed = new Set(siblings);
  return [...order.filter((key) => !placed.has(key)), ...siblings];
}
