import { describe, expect, it } from "vitest";
import { SystemMap } from "../../../native-core/protocol/system-map.ts";

const MAP = new SystemMap(`ffffffff81000000 T _stext
ffffffff81000100 t helper
ffffffff81000180 d table
ffffffff81000200 T memcpy
`);

describe("System.map", () => {
  it("names the function that an address is in", () => {
    expect(MAP.nameOf(0xffffffff810001ffn)).toBe("helper");
    expect(MAP.nameOf(0xffffffff81000200n)).toBe("memcpy");
    expect(MAP.nameOf(0x1000n)).toBeUndefined();
  });

  it("adds up samples of one function, and leaves user code apart", () => {
    const samples = [
      { rip: "ffffffff81000104", user: false, count: 2 },
      { rip: "4000", user: true, count: 4 },
      { rip: "ffffffff81000110", user: false, count: 3 },
    ];
    expect(MAP.merge(samples)).toEqual([
      { place: "helper", user: false, count: 5 },
      { place: "4000", user: true, count: 4 },
    ]);
  });
});
