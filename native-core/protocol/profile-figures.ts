// What a profile says, as figures to show: the command line and the Activity pane tell the same.
import type { VmProfile } from "./engine.ts";
import type { Place, SystemMap } from "./system-map.ts";

export interface ProfileFigures {
  /** Million instructions per second of wall-clock time, sleep included. */
  readonly mips: number;
  /** Of one core of the host, compilers included: above 1 when several work at once. */
  readonly cpuShare: number;
  /** Of the retired instructions, by compiled code. */
  readonly compiledShare: number;
  /** Page walks per million instructions. */
  readonly walksPerMillion: number;
  /** Ways from compiled code to the interpreter, most frequent first. */
  readonly exits: readonly { readonly reason: string; readonly count: number; readonly perMillion: number }[];
  /** Where the guest was found, hottest first; `share` of all samples. */
  readonly places: readonly (Place & { readonly share: number })[];
}

export function profileFigures(profile: VmProfile, symbols?: SystemMap): ProfileFigures {
  const { ms, cpuMs, instructions, compiledInstructions, tlbMisses, exits, sampleCount, samples } = profile;
  const perMillion = (count: number): number => count / Math.max(1, instructions / 1e6);
  const places = symbols
    ? symbols.merge(samples)
    : samples.map(({ rip, user, count }) => ({ place: rip, user, count }));
  return {
    mips: ms > 0 ? instructions / ms / 1000 : 0,
    cpuShare: ms > 0 ? cpuMs / ms : 0,
    compiledShare: compiledInstructions / Math.max(1, instructions),
    walksPerMillion: perMillion(tlbMisses),
    exits: Object.entries(exits)
      .map(([reason, count]) => ({ reason, count, perMillion: perMillion(count) }))
      .sort((a, b) => b.count - a.count),
    places: places.map((place) => ({ ...place, share: place.count / Math.max(1, sampleCount) })),
  };
}
