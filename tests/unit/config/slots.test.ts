import { describe, expect, it } from "vitest";
import { ADAPTER_SLOTS, areDistinct, DISK_SLOTS, keepSlots, slotsOf } from "../../../native-core/config/slots.ts";

const parts = (...ids: string[]) => ids.map((id) => ({ id }));

describe("Slots", () => {
  it("follow from the order, around those that are recorded", () => {
    expect([...slotsOf(parts("a", "b"), DISK_SLOTS)]).toEqual([
      ["a", 8],
      ["b", 9],
    ]);
    expect([...slotsOf([{ id: "a" }, { id: "b", slot: 16 }, { id: "c" }], ADAPTER_SLOTS).values()]).toEqual([
      17, 16, 18,
    ]);
  });

  it("stay what they are for what stays", () => {
    const without = keepSlots(parts("a", "b", "c"), parts("a", "c"), DISK_SLOTS);
    expect(without).toEqual([
      { id: "a", slot: 8 },
      { id: "c", slot: 10 },
    ]);
    expect(keepSlots(without, [...without, { id: "d" }], DISK_SLOTS).at(-1)).toEqual({ id: "d", slot: 9 });
  });

  it("belong to one part each", () => {
    expect(areDistinct([undefined, 8, undefined, 9])).toBe(true);
    expect(areDistinct([8, 8])).toBe(false);
  });
});
