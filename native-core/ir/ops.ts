// The pure operations of the IR: one table. A name is WebAssembly's own, so lowering is a look-up; `evaluate` is the oracle.
import type { Value, ValueNode, ValueType } from "./nodes.ts";

/** i32 and i64 as two's complement bigint of their width, f32/f64 as number, v128 as unsigned 128-bit bigint (lane 0 lowest). */
export type Constant = bigint | number;

export interface PureOp {
  readonly params: readonly ValueType[];
  readonly result: ValueType;
  readonly evaluate: (args: readonly Constant[], immediate: readonly number[]) => Constant;
}

export const PURE_OPS = {} as const satisfies Record<string, PureOp>;

export type PureOpName = keyof typeof PURE_OPS;

export function isConstant(value: Value): boolean {
  return value.node.op === "const";
}

/** The constant that a pure operation over constants yields, as a node; undefined where it would trap. */
export function foldPure(
  _name: PureOpName,
  _args: readonly Value[],
  _immediate?: readonly number[],
): ValueNode | undefined {
  return undefined;
}
