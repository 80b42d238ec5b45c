// In which PCI slot a virtio disk or an adapter sits, and which target of the SCSI controller a SCSI disk is. A device that is taken out of a running machine leaves its slot empty: the others
// must stay where the guest knows them, in this run, in saved states and snapshots. Their slots are recorded from then on.

export const DISK_SLOTS = { first: 8, count: 8 } as const;
export const ADAPTER_SLOTS = { first: 16, count: 8 } as const;

/** SCSI targets count from 0, in an order of their own. */
export const targetOf = (slot: number): number => slot - DISK_SLOTS.first;

interface Slotted {
  readonly id: string;
  readonly slot?: number | undefined;
}

interface SlotRange {
  readonly first: number;
  readonly count: number;
}

/** Slots by id: recorded ones first, then the lowest that are free, in order. */
export function slotsOf(parts: readonly Slotted[], range: SlotRange): ReadonlyMap<string, number> {
  const taken = new Set(parts.map(({ slot }) => slot));
  let next = range.first;
  return new Map(
    parts.map(({ id, slot }) => {
      if (slot !== undefined) return [id, slot];
      while (taken.has(next)) next++;
      return [id, next++];
    }),
  );
}

/** `wanted` with the slots that its parts have among `before` recorded, and new ones where there is room beside them. */
export function keepSlots<T extends Slotted>(before: readonly Slotted[], wanted: readonly T[], range: SlotRange): T[] {
  const known = slotsOf(before, range);
  const kept = wanted.map((part) => ({ ...part, slot: part.slot ?? known.get(part.id) }));
  const slots = slotsOf(kept, range);
  return wanted.map((part) => ({ ...part, slot: slots.get(part.id) }));
}

/** Whether no slot is recorded twice. */
export function areDistinct(slots: readonly (number | undefined)[]): boolean {
  const recorded = slots.filter((slot) => slot !== undefined);
  return new Set(recorded).size === recorded.length;
}
