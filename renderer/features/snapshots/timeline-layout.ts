// Places snapshots on a line of time: days with a label each, and within a day one after the other, so that many close together stay apart.

export interface TimelineDay<T> {
  /** Local midnight. */
  readonly dayMs: number;
  readonly items: readonly T[];
}

/** Oldest day first; within a day in order of time. */
export function daysOf<T extends { readonly takenAtMs: number }>(items: readonly T[]): TimelineDay<T>[] {
  const days = new Map<number, T[]>();
  for (const item of items.toSorted((a, b) => a.takenAtMs - b.takenAtMs)) {
    const day = new Date(item.takenAtMs).setHours(0, 0, 0, 0);
    const known = days.get(day);
    if (known) known.push(item);
    else days.set(day, [item]);
  }
  return [...days].map(([dayMs, of]) => ({ dayMs, items: of }));
}
