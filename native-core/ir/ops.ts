// The pure operations of the IR: one table. A name is WebAssembly's own, so lowering is a look-up; `evaluate` is the oracle.
// The few that are not single Wasm instructions: routines (ops/routine.ts), and `select`, which Wasm does not name by type.
import type { Value, ValueNode } from "./nodes.ts";
import { FLOATING_POINT_OPS } from "./ops/floating-point.ts";
import { INTEGER_OPS } from "./ops/integer.ts";
import { ROUTINE_OPS } from "./ops/routine.ts";
import type { Constant, PureOp } from "./ops/types.ts";
import { VECTOR_FLOAT_OPS } from "./ops/vector-float.ts";
import { VECTOR_INTEGER_OPS } from "./ops/vector-integer.ts";
import { VECTOR_SHAPE_OPS } from "./ops/vector-shape.ts";

export { isRoutine, ROUTINE_NAMES, type RoutineName } from "./ops/routine.ts";
export type { Constant, PureOp } from "./ops/types.ts";

const TABLE = {
  ...INTEGER_OPS,
  ...FLOATING_POINT_OPS,
  ...VECTOR_INTEGER_OPS,
  ...VECTOR_FLOAT_OPS,
  ...VECTOR_SHAPE_OPS,
  ...ROUTINE_OPS,
};

export type PureOpName = keyof typeof TABLE;

export const PURE_OPS: Readonly<Record<PureOpName, PureOp>> = TABLE;

export function isConstant(value: Value): boolean {
  return value.node.op === "const";
}

/** The constant that a pure operation over constants yields, as a node; undefined where it would trap. */
export function foldPure(
  name: PureOpName,
  args: readonly Value[],
  immediate: readonly number[] = [],
): ValueNode | undefined {
  const constants: Constant[] = [];
  for (const arg of args) {
    if (arg.node.op !== "const") return undefined;
    constants.push(arg.node.value);
  }
  try {
    return { op: "const", value: PURE_OPS[name].evaluate(constants, immediate) };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
