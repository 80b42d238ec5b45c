// What is known of an operation before it runs: its fields, the registers they select, and every value that follows from them alone.
import type { RegisterSelector, Size, Value, ValueNode } from "../../ir/nodes.ts";
import { foldPure, type PureOpName } from "../../ir/ops.ts";
import { PSEUDO_REGISTERS, STATE } from "../../x86/state-layout.ts";
import { type CompiledOperation, fieldOf } from "./block-source.ts";
import { FLAT_STACK_MASK, flatPart, flatType } from "./flat-segments.ts";
import { BLOCKED_SLOTS } from "./prepared-forms.ts";

export type Constant = bigint | number;

export class OperationConstants {
  readonly #operation: CompiledOperation;
  readonly #isFlat: boolean;
  readonly #unblocked: () => number;
  /** By the id of a pure value; null for what was found not to be constant. */
  readonly #folded: (Constant | null | undefined)[];

  /** `isFlat`: of 32-bit code. `unblocked`: BLOCKED_SLOTS known to be zero at the place being written. */
  constructor(operation: CompiledOperation, isFlat: boolean, unblocked: () => number) {
    this.#operation = operation;
    this.#isFlat = isFlat;
    this.#unblocked = unblocked;
    this.#folded = new Array(operation.prepared.fragment.valueCount);
  }

  /** The register that a selector means in this operation. */
  register(selector: RegisterSelector): number {
    return selector.kind === "fixed" ? selector.register : this.#operation.fields[selector.field];
  }

  /** Undefined where the value depends on the guest's state. */
  valueOf(value: Value): Constant | undefined {
    if (this.#operation.prepared.mayBeConstant[value.id] === 0) return undefined;
    const { node } = value;
    if (node.op === "const") return node.value;
    if (node.op === "field") return fieldOf(this.#operation.fields, node.field);
    if (node.op === "readRegister") {
      return node.file === "general" && this.register(node.selector) === PSEUDO_REGISTERS.ZERO ? 0n : undefined;
    }
    if (this.#isFlat) {
      if (node.op === "readSegment") return flatPart(this.#segment(node), node.part);
      if (node.op === "readState" && node.slot === STATE.stackMask) return FLAT_STACK_MASK;
    }
    if (node.op === "readState") return this.#unblocked() & (BLOCKED_SLOTS.get(node.slot) ?? 0) ? 0n : undefined;
    if (node.op !== "pure") return undefined;
    const known = this.#folded[value.id];
    if (known !== undefined) return known ?? undefined;
    const constant = this.#foldPure(value, node.name, node.args, node.immediate);
    this.#folded[value.id] = constant ?? null;
    return constant;
  }

  #foldPure(
    value: Value,
    name: PureOpName,
    args: readonly Value[],
    immediate: readonly number[] | undefined,
  ): Constant | undefined {
    const constants = args.map((arg) => this.valueOf(arg));
    const known = this.#isFlat ? this.#foldChecks(name, args, constants) : undefined;
    if (known !== undefined) return known;
    if (name === "i64.shl" && constants[0] === 0n) return 0n;
    if (name === "i64.and" && (constants[0] === 0n || constants[1] === 0n)) return 0n;
    if (constants.some((constant) => constant === undefined)) return undefined;
    const operands = args.map((arg, n): Value => ({ ...arg, node: { op: "const", value: constants[n] as Constant } }));
    const folded = foldPure(name, operands, immediate);
    return folded?.op === "const" ? folded.value : undefined;
  }

  #segment({ segment }: ValueNode & { op: "readSegment" }): number {
    return segment === "fieldReg" ? this.#operation.fields.reg : segment;
  }

  /** Parts of what `isOrdinaryAccess` and its like compute (x86/semantics/address.ts) that hold in flat segments. */
  #foldChecks(
    name: PureOpName,
    args: readonly Value[],
    constants: readonly (Constant | undefined)[],
  ): Constant | undefined {
    const [a, b] = constants;
    if (name === "i64.and") {
      const first = args[0] as Value;
      const { node } = first;
      if (b === undefined) return undefined;
      if (node.op === "readSegment" && node.part === "attributes") return flatType(this.#segment(node), BigInt(b));
      // The part of ESP above a stack of 32 bits.
      return BigInt.asUintN(64, BigInt(b)) === UPPER_HALF && this.#largest(first) < 1n << 32n ? 0n : undefined;
    }
    if (name === "i64.lt_u" && a !== undefined) return BigInt(a) >= this.#largest(args[1] as Value) ? 0 : undefined;
    if (name === "i64.le_u" && b !== undefined) return this.#largest(args[0] as Value) <= BigInt(b) ? 1 : undefined;
    return undefined;
  }

  /** No value is larger, as an unsigned number. */
  #largest(value: Value): bigint {
    const constant = this.valueOf(value);
    if (constant !== undefined) return BigInt.asUintN(64, BigInt(constant));
    const { node } = value;
    if (node.op === "load" || (node.op === "readRegister" && node.file === "general"))
      return node.size === 16 ? ANY : SIZES[node.size];
    if (node.op !== "pure") return ANY;
    const [x, y] = node.args as readonly [Value, Value];
    if (node.name === "i64.and") {
      const [p, q] = [this.#largest(x), this.#largest(y)];
      return p < q ? p : q;
    }
    if (node.name === "i64.add") {
      const sum = this.#largest(x) + this.#largest(y);
      return sum < ANY ? sum : ANY;
    }
    return ANY;
  }
}

const UPPER_HALF = 0xffff_ffff_0000_0000n;
const ANY = (1n << 64n) - 1n;
const SIZES: Record<Size, bigint> = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: ANY };
