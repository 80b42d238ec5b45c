// What the core counts all the time, read out for profiles.
import type { JitStatistics } from "./jit/jit.ts";
import { OUTCOME } from "./jit/outcome.ts";
import { COUNTERS } from "./mmu/memory-layout.ts";

export interface CoreCounters {
  /** Page walks. */
  readonly tlbMisses: number;
  /** Retired by compiled regions; what is left of all was interpreted. */
  readonly compiledInstructions: number;
  /** Ways back from compiled regions into the dispatcher, by reason. */
  readonly exits: Readonly<Record<ExitReason, number>>;
  /** Absent where everything is interpreted. */
  readonly jit: Readonly<JitStatistics> | undefined;
}

/** `linked`: to a block that is not compiled or not linked; `indirect`: by a computed target; `resume`: in front of an instruction. */
export type ExitReason = "fault" | "linked" | "checked" | "indirect" | "state" | "resume";

const REASONS: readonly ExitReason[] = ["fault", "linked", "checked", "indirect", "state", "resume"];

/** `cells`: memory 0. */
export function readCounters(cells: DataView, jit: JitStatistics | undefined): CoreCounters {
  const at = (address: number): number => Number(cells.getBigUint64(address, true));
  const exits = (outcome: number): number => at(COUNTERS.exits + outcome * 8);
  return {
    tlbMisses: at(COUNTERS.tlbMisses),
    compiledInstructions: at(COUNTERS.compiledInstructions),
    exits: {
      ...(Object.fromEntries(REASONS.map((reason) => [reason, exits(OUTCOME[reason])])) as Record<ExitReason, number>),
      indirect: exits(OUTCOME.indirect) + exits(OUTCOME.elsewhere),
    },
    jit: jit && { ...jit },
  };
}
