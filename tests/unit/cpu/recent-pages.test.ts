import { describe, expect, it } from "vitest";
import { AREA, GUEST_MEMORY, TLB_ENTRY, VCPU_AREA } from "../../../native-core/cpu/mmu/memory-layout.ts";
import { recentPages, withFormerPages } from "../../../native-core/cpu/recent-pages.ts";

describe("pages used of late", () => {
  it("are those that any vCPU's TLBs name, each once, without those that the kernel wrote", () => {
    const cells = new DataView(new ArrayBuffer(GUEST_MEMORY.address));
    const fill = (table: number, index: number, host: number) =>
      cells.setInt32(table + index * TLB_ENTRY.size + TLB_ENTRY.hostPage, host, true);
    fill(AREA.supervisor + AREA.execute, 5, 0x7000);
    fill(AREA.user + AREA.read, 9, 0x7000);
    fill(AREA.user + AREA.write, 16_383, 0xbfff_f000 | 0);
    fill(AREA.supervisor + AREA.write, 3, 0x9000);
    fill(AREA.supervisor + AREA.read + VCPU_AREA.size, 0, 0x1000);
    expect([...recentPages(cells, 1)]).toEqual([7, 0xb_ffff]);
    expect([...recentPages(cells, 2)]).toEqual([7, 0xb_ffff, 1]);
  });

  it("are filled up from before, for each state that is saved empties the TLBs", () => {
    expect([...withFormerPages(Uint32Array.of(5, 6), Uint32Array.of(6, 7))]).toEqual([5, 6, 7]);
    const many = Uint32Array.from({ length: 3000 }, (_, page) => page);
    expect(withFormerPages(Uint32Array.of(9000), many)).toHaveLength(2000);
    expect(withFormerPages(many, Uint32Array.of(9000))).toEqual(many);
  });
});
