// Replays vectors on the evaluator, the oracle that other tiers are tested against.
import { EvaluatorCpu } from "../../native-core/cpu/evaluator/evaluator-cpu.ts";
import { STATE } from "../../native-core/x86/state-layout.ts";
import type { Subject } from "./subject.ts";
import { model, platform, RAM_BYTES, UserMode } from "./user-mode.ts";
import { type Mode, type Outcome, slotOffset, type TestState } from "./vector-format.ts";

/** A REP instruction takes a step per iteration. */
const MAX_STEPS = 200;

export class EvaluatorSubject implements Subject {
  readonly name = "evaluator";
  readonly #cpu = new EvaluatorCpu({ ramBytes: RAM_BYTES, platform, model });
  readonly #user: UserMode;

  constructor() {
    const cpu = this.#cpu;
    this.#user = new UserMode({ state: cpu.state, ram: cpu.memory.bytes, modeChanged: () => cpu.modeChanged() });
  }

  run(mode: Mode, code: Uint8Array, input: TestState): Outcome {
    this.#user.prepare(mode, code, input);
    for (let step = 0; step < MAX_STEPS; step++) {
      this.#cpu.step();
      if (this.#cpu.state.getNumber(STATE.cpl) === 0 || this.#cpu.state.get(STATE.rip) !== slotOffset(mode)) break;
    }
    return this.#user.outcome();
  }
}
