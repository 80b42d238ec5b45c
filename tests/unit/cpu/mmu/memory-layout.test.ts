// Several parts take cells in memory 0; each address has one owner.
import { describe, expect, it } from "vitest";
import { CELLS, CONTEXT_SIZE, COUNTERS } from "../../../../native-core/cpu/mmu/memory-layout.ts";
import { STATE, STATE_SIZE } from "../../../../native-core/x86/state-layout.ts";

describe("a cell", () => {
  it("is where no other cell or counter is", () => {
    const owners = new Map<number, string>();
    for (const [name, address] of [...Object.entries(CELLS), ...Object.entries(COUNTERS)]) {
      expect([name, owners.get(address)]).toEqual([name, undefined]);
      owners.set(address, name);
    }
  });

  it("lies behind the state, or names a slot of it", () => {
    const slots = new Set<number>(Object.values(STATE).map(({ offset }) => offset));
    for (const address of Object.values(CELLS)) expect(address >= STATE_SIZE || slots.has(address)).toBe(true);
    expect(CONTEXT_SIZE).toBeGreaterThan(STATE_SIZE);
  });
});

describe("a slot of the state", () => {
  it("ends where the next one begins, or before", () => {
    const sizes = { u16: 2, u32: 4, u64: 8 } as const;
    const slots = Object.entries(STATE).sort(([, a], [, b]) => a.offset - b.offset);
    for (const [n, [name, { offset, type }]] of slots.entries()) {
      const next = slots[n + 1]?.[1].offset ?? STATE_SIZE;
      expect([name, offset + sizes[type] <= next]).toEqual([name, true]);
    }
  });
});
