// Order, filter and keyboard steps of the machine list.
import type { MachineSummary } from "../../../main/contract/schemas.ts";

const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** By name as people sort it (`Test 2` before `Test 10`); equal names keep the order of creation. */
export function sortMachines(machines: readonly MachineSummary[]): MachineSummary[] {
  return machines.toSorted((a, b) => byName.compare(a.name, b.name) || a.createdAtMs - b.createdAtMs);
}

/** Every word of the filter must occur in the name, the state or the snapshot's name. */
export function matchesFilter(machine: MachineSummary, filter: string): boolean {
  const text = `${machine.name} ${machine.state} ${machine.currentSnapshotName ?? ""}`.toLocaleLowerCase();
  return filter
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
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
