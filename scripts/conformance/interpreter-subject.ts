// Replays vectors on the interpreter: the whole vCPU.
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import type { InterpreterVcpu } from "../../native-core/cpu/vcpu.ts";
import { createVcpu } from "../../native-core/cpu/vcpu-group.ts";
import { STATE } from "../../native-core/x86/state-layout.ts";
import type { Subject } from "./subject.ts";
import { CODE_PAGE, model, platform, RAM_BYTES, SLOT, UserMode } from "./user-mode.ts";
import { type Mode, type Outcome, slotOffset, type TestState } from "./vector-format.ts";

/** A REP instruction takes a step per iteration. */
const MAX_STEPS = 200;
/** CMP EAX, EAX: what it does to the flags makes those of the instruction before it dead. */
const FLAG_KILLER = Uint8Array.of(0x39, 0xc0);
const BREAKPOINT = 3;

const NAMES = { step: "interpreter", block: "interpreter-block", jit: "jit" };

let interpreterModule: WebAssembly.Module | undefined;

/** Every block is compiled before it is first executed. */
const COMPILE_AT_ONCE = { threshold: 1, batch: 1 };

/**
 * "step": one instruction at a time. "block": the instruction and a flag-killing one run as a translated block through the dispatch
 * loop up to an INT3, so that handlers without flags and the block cache are tested too. "jit": the same, compiled.
 */
export class InterpreterSubject implements Subject {
  readonly name: string;
  readonly losesFlags: boolean;
  readonly #vcpu: InterpreterVcpu;
  readonly #user: UserMode;

  constructor(style: "step" | "block" | "jit" = "step") {
    this.name = NAMES[style];
    this.losesFlags = style !== "step";
    interpreterModule ??= new WebAssembly.Module(buildInterpreter());
    const vcpu = createVcpu({
      ramBytes: RAM_BYTES,
      interpreterModule,
      platform,
      interrupts: { hasInterrupt: () => false, acknowledge: () => undefined },
      bus: { readMmio: () => 0xff, writeMmio: () => {} },
      model,
      jit: style === "jit" ? COMPILE_AT_ONCE : undefined,
    });
    this.#vcpu = vcpu;
    this.#user = new UserMode({
      state: vcpu.state,
      ram: vcpu.ram.bytes(),
      modeChanged: () => vcpu.modeChanged(),
    });
  }

  run(mode: Mode, code: Uint8Array, input: TestState): Outcome {
    this.#user.prepare(mode, code, input);
    return this.losesFlags ? this.#runBlock(mode, code) : this.#runSteps(mode);
  }

  #runSteps(mode: Mode): Outcome {
    const { state } = this.#vcpu;
    for (let step = 0; step < MAX_STEPS; step++) {
      this.#vcpu.step();
      if (state.getNumber(STATE.cpl) === 0 || state.get(STATE.rip) !== slotOffset(mode)) break;
    }
    return this.#user.outcome();
  }

  #runBlock(mode: Mode, code: Uint8Array): Outcome {
    this.#vcpu.ram.bytes().set(FLAG_KILLER, SLOT + code.length);
    this.#vcpu.memoryWritten(CODE_PAGE, 4096);
    this.#vcpu.run(10_000);
    const outcome = this.#user.outcome();
    if (outcome.fault?.vector !== BREAKPOINT) return outcome;
    const next = slotOffset(mode) + BigInt(code.length);
    const end = outcome.rip - 1n;
    return { state: outcome.state, rip: end === next + BigInt(FLAG_KILLER.length) ? next : end };
  }
}
