// Order, groups, filter and keyboard steps of the machine list.
import type { MachineSummary } from "../../../main/contract/schemas.ts";

const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

export interface GroupRow {
  readonly kind: "group";
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly depth: number;
  readonly open: boolean;
  /** All machines in it and in the groups within, shown or not. */
  readonly machines: readonly MachineSummary[];
}

export interface MachineListRow {
  readonly kind: "machine";
  readonly id: string;
  readonly depth: number;
  readonly machine: MachineSummary;
}

export type ListRow = GroupRow | MachineListRow;

export interface ListView {
  readonly filter: string;
  /** Keys in the order of the user. */
  readonly order: readonly string[];
  readonly closed: readonly string[];
}

/** Machine ids are hexadecimal, so a group's key can't clash with one. */
export const groupKey = (path: string): string => `g:${path}`;
export const parentGroup = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));
export const groupName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
export const joinGroup = (parent: string, name: string): string => (parent ? `${parent}/${name}` : name);

/** The group that a row is in. */
export const groupOfRow = (row: ListRow): string => (row.kind === "group" ? parentGroup(row.path) : row.machine.group);

/** By name as people sort it (`Test 2` before `Test 10`); equal names keep the order of creation. */
export function sortMachines(machines: readonly MachineSummary[]): MachineSummary[] {
  return machines.toSorted((a, b) => byName.compare(a.name, b.name) || a.createdAtMs - b.createdAtMs);
}

/** Every word of the filter must occur in the name, the group, the state or the snapshot's name. */
export function matchesFilter(machine: MachineSummary, filter: string): boolean {
  const text =
    `${machine.name} ${machine.group} ${machine.state} ${machine.currentSnapshotName ?? ""}`.toLocaleLowerCase();
  return filter
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

interface Node {
  readonly path: string;
  readonly groups: Map<string, Node>;
  readonly machines: MachineSummary[];
}

function treeOf(machines: readonly MachineSummary[]): Node {
  const root: Node = { path: "", groups: new Map(), machines: [] };
  for (const machine of machines) {
    let node = root;
    for (const name of machine.group ? machine.group.split("/") : []) {
      const inner = node.groups.get(name) ?? { path: joinGroup(node.path, name), groups: new Map(), machines: [] };
      node.groups.set(name, inner);
      node = inner;
    }
    node.machines.push(machine);
  }
  return root;
}

function machinesIn(node: Node): MachineSummary[] {
  return [...[...node.groups.values()].flatMap(machinesIn), ...node.machines];
}

/** The rows of the list from top to bottom. While something is searched for, every group is open and empty ones are left out. */
export function listRows(machines: readonly MachineSummary[], view: ListView): ListRow[] {
  const filter = view.filter.trim();
  const rank = new Map(view.order.map((key, index) => [key, index]));
  const closed = new Set(filter ? [] : view.closed);
  const rows: ListRow[] = [];
  const rankOf = (key: string) => rank.get(key) ?? Number.POSITIVE_INFINITY;
  const add = (node: Node, depth: number) => {
    const groups = [...node.groups.values()].sort((a, b) => byName.compare(a.path, b.path));
    const entries = [
      ...groups.map((group) => ({ key: groupKey(group.path), group, machine: null })),
      ...sortMachines(node.machines).map((machine) => ({ key: machine.id, group: null, machine })),
    ];
    // Stable: what the user did not place stays in the order above, behind what was placed.
    entries.sort((a, b) => {
      const [left, right] = [rankOf(a.key), rankOf(b.key)];
      return left === right ? 0 : left - right;
    });
    for (const { key, group, machine } of entries) {
      if (machine) rows.push({ kind: "machine", id: key, depth, machine });
      if (!group) continue;
      const open = !closed.has(group.path);
      const inside = machinesIn(group);
      rows.push({
        kind: "group",
        id: key,
        path: group.path,
        name: groupName(group.path),
        depth,
        open,
        machines: inside,
      });
      if (open) add(group, depth + 1);
    }
  };
  add(treeOf(filter ? machines.filter((machine) => matchesFilter(machine, filter)) : machines), 1);
  return rows;
}

/** All groups, each with the groups around it, by name. */
export function allGroups(machines: readonly MachineSummary[]): string[] {
  const paths = new Set<string>();
  for (const { group } of machines) for (let path = group; path; path = parentGroup(path)) paths.add(path);
  return [...paths].sort(byName.compare);
}

/** The entry `by` places away from `id`, stopping at the ends; the first one when `id` is not in the list. */
export function step<T extends { readonly id: string }>(
  entries: readonly T[],
  id: string | null,
  by: number | "first" | "last",
): T | undefined {
  if (by === "first") return entries[0];
  if (by === "last") return entries.at(-1);
  const index = entries.findIndex((entry) => entry.id === id);
  if (index < 0) return entries[0];
  return entries[Math.min(entries.length - 1, Math.max(0, index + by))];
}

/** Machine ids of the rows between two rows, both included, in the order of the list. */
export function machinesBetween(rows: readonly ListRow[], from: string, to: string): string[] {
  const [a, b] = [from, to].map((key) => rows.findIndex((row) => row.id === key));
  if (a === undefined || b === undefined || a < 0 || b < 0) return [];
  return rows.slice(Math.min(a, b), Math.max(a, b) + 1).flatMap((row) => (row.kind === "machine" ? [row.id] : []));
}
