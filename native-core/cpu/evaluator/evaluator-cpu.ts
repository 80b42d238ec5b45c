// A whole processor on the evaluator: decodes one instruction, evaluates its operations, goes on. What the interpreter is tested against.

import type { Fragment } from "../../ir/nodes.ts";
import { type CodeMode, decodeBlock } from "../../x86/decoder/decode-block.ts";
import { FORMS, fragmentOf } from "../../x86/forms.ts";
import type { Operation } from "../../x86/operation.ts";
import { PSEUDO_REGISTERS, STATE, STATE_SIZE } from "../../x86/state-layout.ts";
import {
  type CpuContext,
  CpuException,
  type CpuModel,
  NonCanonicalAccess,
  NUMERIC_ERROR,
  type Platform,
} from "../context.ts";
import { CpuState } from "../cpu-state.ts";
import { deliverEvent } from "../helpers/deliver-event.ts";
import { deriveMode } from "../mode.ts";
import { resetCpu } from "../reset.ts";
import { nonCanonicalVector } from "../stack-fault.ts";
import { evaluateFragment, type Outcome } from "./evaluate-fragment.ts";
import { type EvaluatorDevices, EvaluatorMemory } from "./evaluator-memory.ts";

const fragments: (Fragment | undefined)[] = [];

function fragmentFor(handler: number): Fragment {
  let fragment = fragments[handler];
  if (!fragment) {
    const form = FORMS[handler];
    if (!form) throw new Error(`no form ${handler}`);
    fragment = fragmentOf(form);
    fragments[handler] = fragment;
  }
  return fragment;
}

export interface EvaluatorOptions {
  readonly ramBytes: number;
  readonly platform: Platform;
  readonly model: CpuModel;
  readonly devices?: EvaluatorDevices;
}

/** What a step did: an exception is delivered to the guest in the same step. */
export type StepResult = "retired" | "repeated" | "exception" | "halted" | "shutdown";

export class EvaluatorCpu implements CpuContext {
  readonly state = new CpuState(new ArrayBuffer(STATE_SIZE));
  readonly memory: EvaluatorMemory;
  readonly platform: Platform;
  readonly model: CpuModel;
  /** The exception of the last step that had one. */
  lastException: CpuException | undefined;

  constructor(options: EvaluatorOptions) {
    this.platform = options.platform;
    this.model = options.model;
    this.memory = new EvaluatorMemory(this.state, options.ramBytes, options.devices);
    resetCpu(this.state);
  }

  /** One instruction, or one round of a REP. `deliver`: exceptions go through the IDT, else they are only noted. */
  step(deliver = true): StepResult {
    const { state } = this;
    if (state.getNumber(STATE.halted) !== 0) return "halted";
    try {
      const outcome = this.#execute();
      state.set(STATE.instructionCount, state.get(STATE.instructionCount) + 1n);
      return outcome?.to === "repeat" ? "repeated" : state.getNumber(STATE.halted) ? "halted" : "retired";
    } catch (thrown) {
      if (!(thrown instanceof CpuException)) throw thrown;
      const error = thrown instanceof NonCanonicalAccess ? this.#nonCanonical(thrown) : thrown;
      this.lastException = error;
      if (!deliver) return "exception";
      if (error.vector === NUMERIC_ERROR) {
        this.halt();
        return "halted";
      }
      const options = error.errorCode === undefined ? {} : { errorCode: error.errorCode };
      return deliverEvent(this, error.vector, options) ? "exception" : "shutdown";
    }
  }

  modeChanged(): void {
    deriveMode(this.state);
  }

  halt(): void {
    this.state.setNumber(STATE.halted, 1);
  }

  /** Nobody else could change the line: MWAIT goes on at once, as it may. */
  monitorLine(): void {}
  monitorWait(): void {}

  /** There are no breakpoints here. */
  debugChanged(): void {}
  watchPort(): void {}

  unblockNmi(): void {
    this.state.setNumber(STATE.nmiBlocked, 0);
  }

  #execute(): Outcome | undefined {
    const { state } = this;
    const rip = state.get(STATE.rip);
    const mode = state.getNumber(STATE.codeMode) as CodeMode;
    const block = decodeBlock((offset) => this.memory.fetchCode(offset), rip, mode, { maxInstructions: 1 });
    if ("faultOffset" in block) throw new Error("fetchCode throws instead");
    this.#view.setBigUint64(PSEUDO_REGISTERS.BLOCK_RIP, rip, true);
    for (const operation of block.operations) {
      const outcome = evaluateFragment(fragmentFor(operation.handler), operation, this, this.memory);
      if (!outcome) continue;
      this.#go(outcome, operation, rip, mode);
      return outcome;
    }
    throw new Error("a block ends in an exit");
  }

  /** #SS or #GP: the instruction tells. */
  #nonCanonical(access: NonCanonicalAccess): CpuException {
    const { state } = this;
    const mode = state.getNumber(STATE.codeMode) as CodeMode;
    const fetch = (offset: bigint): Uint8Array | undefined => {
      try {
        return this.memory.fetchCode(offset);
      } catch {
        return undefined;
      }
    };
    const block = decodeBlock(fetch, state.get(STATE.rip), mode, { maxInstructions: 1 });
    return new CpuException(nonCanonicalVector(state, "faultOffset" in block ? undefined : block, access.linear), 0);
  }

  get #view(): DataView {
    const { bytes } = this.state;
    return new DataView(bytes.buffer, bytes.byteOffset);
  }

  #go(outcome: Outcome, operation: Operation, rip: bigint, mode: CodeMode): void {
    const { state } = this;
    const bits = mode === 8 ? 64 : 32;
    switch (outcome.to) {
      case "relative":
        state.set(STATE.rip, BigInt.asUintN(bits, rip + BigInt(operation.disp)));
        break;
      case "next":
        state.set(STATE.rip, BigInt.asUintN(bits, rip + BigInt(operation.start + operation.length)));
        break;
      case "indirect":
        state.set(STATE.rip, outcome.target);
        break;
      default: // "state": a helper wrote it; "repeat": the same instruction again
    }
    // STI and MOV SS hold interrupts back for the instruction behind them; there are none here.
    state.setNumber(STATE.interruptShadow, 0);
  }
}
