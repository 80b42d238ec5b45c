import { describe, expect, it } from "vitest";
import { profileFigures } from "../../../native-core/protocol/profile-figures.ts";
import { SystemMap } from "../../../native-core/protocol/system-map.ts";

const PROFILE = {
  ms: 2000,
  cpuMs: 3000,
  instructions: 400e6,
  compiledInstructions: 300e6,
  tlbMisses: 8000,
  exits: { fault: 400, indirect: 4000 },
  compiled: { regions: 2, modules: 1, wasmBytes: 10_000, compileMs: 3 },
  sampleCount: 10,
  samples: [
    { rip: "ffffffff81000010", user: false, count: 4 },
    { rip: "401000", user: true, count: 4 },
    { rip: "ffffffff81000020", user: false, count: 2 },
  ],
};

describe("figures of a profile", () => {
  it("are rates and shares, the most frequent first", () => {
    expect(profileFigures(PROFILE)).toMatchObject({
      mips: 200,
      cpuShare: 1.5,
      compiledShare: 0.75,
      walksPerMillion: 20,
      exits: [
        { reason: "indirect", perMillion: 10 },
        { reason: "fault", perMillion: 1 },
      ],
      places: [
        { place: "ffffffff81000010", share: 0.4 },
        { place: "401000", user: true },
        { place: "ffffffff81000020", share: 0.2 },
      ],
    });
  });

  it("count places of one kernel function together", () => {
    const symbols = new SystemMap("ffffffff81000000 T _stext\n");
    expect(profileFigures(PROFILE, symbols).places).toEqual([
      { place: "_stext", user: false, count: 6, share: 0.6 },
      { place: "401000", user: true, count: 4, share: 0.4 },
    ]);
  });

  it("of a machine that did nothing are zero", () => {
    const idle = {
      ...PROFILE,
      ms: 0,
      cpuMs: 0,
      instructions: 0,
      compiledInstructions: 0,
      tlbMisses: 0,
      exits: {},
      sampleCount: 0,
      samples: [],
    };
    expect(profileFigures(idle)).toMatchObject({ mips: 0, cpuShare: 0, compiledShare: 0, walksPerMillion: 0 });
  });
});
