// What vectors are replayed on: something that executes one instruction from a given state.
import type { Mode, Outcome, TestState } from "./vector-format.ts";

export interface Subject {
  readonly name: string;
  run(mode: Mode, code: Uint8Array, input: TestState): Outcome;
}
