// What lowering (lower-fragment.ts) needs to know about the function it writes into. Two targets exist: the dispatch function, where
// exits are branches to shared tails, and functions of their own for rare or large handlers, where exits return a code.
import type { Code } from "../../wasm/code.ts";
import type { FunctionWriter } from "../../wasm/function-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import type { AccessFunctions } from "../mmu/access.ts";
import type { Routines } from "../routines/routines.ts";

/** Functions of the module that handlers call. */
export interface Runtime {
  readonly access: AccessFunctions;
  /** () -> i64: RFLAGS in architectural form. */
  readonly composeFlags: FunctionReference;
  /** (flags: i64): sets the six arithmetic flags. */
  readonly writeArithmeticFlags: FunctionReference;
  /** What pure operations without a Wasm instruction call, by their name (cpu/routines). */
  readonly routines: Routines;
  /** Helpers of cpu/helpers, by name. */
  readonly helpers: ReadonlyMap<string, FunctionReference>;
}

export interface LoweringTarget {
  readonly f: FunctionWriter;
  readonly runtime: Runtime;
  /** Address of the operation being executed. */
  readonly operation: Local;
  /** Address of the privilege area in use. */
  readonly area: Code;
  /** Ends of a handler: none of these codes goes on to what is written behind it. */
  readonly exits: {
    /** To a direct target (a Code for its RIP), through the link slot at an offset from the operation. `checked`: look for events. */
    linked(target: Code, slot: number, checked: boolean): Code;
    indirect(target: Code): Code;
    state(): Code;
    repeat(): Code;
    /** An exception is pending for this operation. */
    fault(): Code;
  };
}

export interface Variant {
  /** No later operation can see the flags: they are not computed. */
  readonly quiet: boolean;
  /** The memory operand has no index register: the address is base + disp. */
  readonly simple: boolean;
}
