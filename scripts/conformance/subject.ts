// What vectors are replayed on: something that executes one instruction from a given state.
import type { Mode, Outcome, TestState } from "./vector-format.ts";

export interface Subject {
  readonly name: string;
  /** Arithmetic flags are not to be compared where the instruction went on to the next one. */
  readonly losesFlags?: boolean;
  run(mode: Mode, code: Uint8Array, input: TestState): Outcome;
}
