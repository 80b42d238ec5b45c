// The intermediate representation: what one instruction (later: one region) does.
//
// Values are SSA and typed as in Wasm. Pure operations form expressions; everything with an effect is a statement, in program order.
// Control flow is structured (if, loop), so that lowering to Wasm is direct. Values that cross control flow live in variables.
// Machine access has its own operations (registers, flags, guest memory, faults): a back end decides how they are done.
//
//   x86 semantics --InstructionBuilder--> Fragment --+--> evaluator   (BigInt oracle)
//                                                    +--> interpreter (handlers; fields read from the operation)
//                                                    +--> JIT         (fields replaced by constants)
import type { PureOpName } from "./ops.ts";

/** A named place in CPU state; x86/state-layout.ts declares them all. */
export interface StateSlot {
  readonly offset: number;
  readonly type: "u16" | "u32" | "u64";
}

/** The fields of a pre-decoded operation; x86/operation.ts lays them out. */
export type FieldName =
  | "handler"
  | "length"
  | "start"
  | "reg"
  | "rm"
  | "index"
  | "scale"
  | "disp"
  | "imm"
  | "imm64"
  | "vvvv"
  | "is4";

/** Fields that name a register. */
export type RegisterField = "reg" | "rm" | "index" | "vvvv" | "is4";

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** Operand size in bytes of an integer access. */
export type Size = 1 | 2 | 4 | 8;

/** Which register of a file: chosen by a field of the operation, or fixed. General registers are byte offsets into the file. */
export type RegisterSelector =
  | { readonly kind: "field"; readonly field: RegisterField }
  | { readonly kind: "fixed"; readonly register: number };

export type RegisterFile = "general" | "vector" | "x87" | "segment" | "control" | "debug";

/** How an arithmetic result sets the flags; the back end knows the laws (SDM 1 3.4.3.1). Operands are zero-extended i64. */
export type FlagOperation =
  | "add" // CF OF AF ZF SF PF of a + b
  | "adc" // of a + b + old CF
  | "sub" // of a - b (also CMP, NEG with a = 0)
  | "sbb" // of a - b - old CF
  | "logic" // ZF SF PF of the result; CF = OF = 0, AF = 0
  | "shift" // ZF SF PF of the result; CF = a, OF = b (0 or 1), AF = 0
  | "inc" // as add with b = 1, CF kept
  | "dec"; // as sub with b = 1, CF kept

/** Condition codes in encoding order (SDM 1 B.1): o no b ae e ne be a s ns p np l ge le g. */
export type ConditionCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15;

export type FlagName = "CF" | "PF" | "AF" | "ZF" | "SF" | "OF";

/** An SSA value. `id` is unique within its fragment. */
export interface Value {
  readonly id: number;
  readonly type: ValueType;
  readonly node: ValueNode;
}

export interface Variable {
  readonly id: number;
  readonly type: ValueType;
}

export type ValueNode =
  // Pure: may be moved, merged, dropped.
  | { readonly op: "const"; readonly value: bigint | number }
  | {
      readonly op: "pure";
      readonly name: PureOpName;
      readonly args: readonly Value[];
      readonly immediate?: readonly number[];
    }
  | { readonly op: "field"; readonly field: FieldName }
  // Reads: computed where they stand in program order.
  | { readonly op: "getVariable"; readonly variable: Variable }
  | { readonly op: "readState"; readonly slot: StateSlot }
  | {
      readonly op: "readRegister";
      readonly file: RegisterFile;
      readonly selector: RegisterSelector;
      readonly size: Size | 16;
      readonly highPart?: boolean;
    }
  | {
      readonly op: "readSegment";
      readonly segment: number | "fieldReg";
      readonly part: "base" | "limit" | "attributes" | "selector";
    }
  | { readonly op: "readFlag"; readonly flag: FlagName }
  | { readonly op: "condition"; readonly code: ConditionCode }
  | { readonly op: "readFlags" } // all of RFLAGS as i64
  // May fault: everything after it does not happen then.
  | { readonly op: "load"; readonly size: Size | 16; readonly address: Value; readonly forWrite: boolean }
  | { readonly op: "translate"; readonly address: Value; readonly write: boolean } // host address as i32, or -1 where the page is not plain RAM
  | { readonly op: "callHelper"; readonly helper: string; readonly args: readonly Value[] };

export type Statement =
  | { readonly kind: "define"; readonly value: Value }
  | { readonly kind: "setVariable"; readonly variable: Variable; readonly value: Value }
  | { readonly kind: "writeState"; readonly slot: StateSlot; readonly value: Value }
  | {
      readonly kind: "writeRegister";
      readonly file: RegisterFile;
      readonly selector: RegisterSelector;
      readonly size: Size | 16;
      readonly value: Value;
      readonly highPart?: boolean;
    }
  | {
      readonly kind: "setFlags";
      readonly operation: FlagOperation;
      readonly size: Size;
      readonly a: Value;
      readonly b: Value;
      readonly result: Value;
    }
  | { readonly kind: "writeFlag"; readonly flag: FlagName; readonly value: Value } // value: i32 0/1
  | { readonly kind: "writeArithmeticFlags"; readonly value: Value } // the six arithmetic flags from an RFLAGS-format i64
  | { readonly kind: "store"; readonly size: Size | 16; readonly address: Value; readonly value: Value }
  | { readonly kind: "hostCopy"; readonly target: Value; readonly source: Value; readonly bytes: Value } // between host addresses
  | { readonly kind: "hostFill"; readonly target: Value; readonly byte: Value; readonly bytes: Value }
  | {
      readonly kind: "if";
      readonly condition: Value;
      readonly then: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  /** Runs body, then again while `again` (computed at its end, i32) is non-zero. */
  | { readonly kind: "loop"; readonly body: readonly Statement[]; readonly again: Value }
  | { readonly kind: "raise"; readonly vector: number; readonly errorCode?: Value }
  | { readonly kind: "exit"; readonly exit: Exit };

/** How an instruction ends. Without one, control goes to the next operation. */
export type Exit =
  /** To BLOCK_RIP + field(disp), masked to the code size: a direct branch, may be linked. */
  | { readonly to: "relative" }
  /** To the next instruction, ending the block: a direct fall-through, may be linked. */
  | { readonly to: "next" }
  /** To a computed linear offset in CS. */
  | { readonly to: "indirect"; readonly target: Value }
  /** RIP is already in state (a helper wrote it); look it up again. `checkEvents`: also leave Wasm when eventPending is set. */
  | { readonly to: "state" }
  /** The same instruction again after a check for interrupts (REP in progress). */
  | { readonly to: "repeat" };

/** The effect of one instruction form. */
export interface Fragment {
  readonly body: readonly Statement[];
  readonly valueCount: number;
  readonly variableCount: number;
}
