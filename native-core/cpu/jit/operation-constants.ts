// What is known of an operation before it runs: its fields, the registers they select, and every value that follows from them alone.
import type { RegisterSelector, Value } from "../../ir/nodes.ts";
import { foldPure, type PureOpName } from "../../ir/ops.ts";
import { PSEUDO_REGISTERS } from "../../x86/state-layout.ts";
import type { CompiledOperation } from "./block-source.ts";

export type Constant = bigint | number;

export class OperationConstants {
  readonly #operation: CompiledOperation;
  readonly #folded = new Map<number, Constant | undefined>();

  constructor(operation: CompiledOperation) {
    this.#operation = operation;
  }

  /** The register that a selector means in this operation. */
  register(selector: RegisterSelector): number {
    return selector.kind === "fixed" ? selector.register : Number(this.#operation.fields[selector.field]);
  }

  /** Undefined where the value depends on the guest's state. */
  valueOf(value: Value): Constant | undefined {
    const { node } = value;
    if (node.op === "const") return node.value;
    if (node.op === "field") return this.#operation.fields[node.field];
    if (node.op === "readRegister") {
      return node.file === "general" && this.register(node.selector) === PSEUDO_REGISTERS.ZERO ? 0n : undefined;
    }
    if (node.op !== "pure") return undefined;
    if (this.#folded.has(value.id)) return this.#folded.get(value.id);
    const constant = this.#foldPure(value, node.name, node.args, node.immediate);
    this.#folded.set(value.id, constant);
    return constant;
  }

  #foldPure(
    value: Value,
    name: PureOpName,
    args: readonly Value[],
    immediate: readonly number[] | undefined,
  ): Constant | undefined {
    const constants = args.map((arg) => this.valueOf(arg));
    if (name === "i64.shl" && constants[0] === 0n) return 0n;
    if (name === "i64.and" && (constants[0] === 0n || constants[1] === 0n)) return 0n;
    if (value.type === "v128" || constants.some((constant) => constant === undefined)) return undefined;
    const known = args.map((arg, n): Value => ({ ...arg, node: { op: "const", value: constants[n] as Constant } }));
    const folded = foldPure(name, known, immediate);
    return folded?.op === "const" ? folded.value : undefined;
  }
}
