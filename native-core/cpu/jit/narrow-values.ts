// Widths of integers in an operation being lowered: which bits of an i64 can't be set, so that nothing has to mask them, and what can be
// computed as an i32. Its fragment speaks of operands of all sizes as i64, zero-extended. The host clears the upper half of a register with
// each operation of 32 bits, as the guest does; a mask behind one of 64 bits is an instruction more.
import type { Value } from "../../ir/nodes.ts";
import type { PureOpName } from "../../ir/ops.ts";
import type { Local } from "../../wasm/types.ts";
import { PSEUDO_REGISTERS } from "../../x86/state-layout.ts";
import type { OperationConstants } from "./operation-constants.ts";
import type { RegionWriter } from "./region-writer.ts";

const NARROW = {
  "i64.add": "i32.add",
  "i64.sub": "i32.sub",
  "i64.mul": "i32.mul",
  "i64.and": "i32.and",
  "i64.or": "i32.or",
  "i64.xor": "i32.xor",
} as const;
const isNarrow = (name: PureOpName): name is keyof typeof NARROW => name in NARROW;

/** Looking further costs more than it finds. */
const MAX_DEPTH = 4;

export class NarrowValues {
  readonly #region: RegionWriter;
  readonly #constants: OperationConstants;
  /** Of values that are in locals, by id. */
  readonly #locals: readonly (Local | undefined)[];
  readonly #value: (value: Value) => void;

  /** `value` writes a value as what the fragment says it is. */
  constructor(
    region: RegionWriter,
    constants: OperationConstants,
    locals: readonly (Local | undefined)[],
    value: (value: Value) => void,
  ) {
    this.#region = region;
    this.#constants = constants;
    this.#locals = locals;
    this.#value = value;
  }

  /** Bits of an integer from this one on are known to be zero. */
  widthOf(value: Value, depth = 0): number {
    const constant = this.#constants.valueOf(value);
    if (constant !== undefined) return widthOfConstant(constant);
    const { node } = value;
    if (node.op === "load") return node.size * 8;
    if (node.op === "readRegister") {
      if (node.file !== "general") return 64;
      // A local may be older than what is known of the register.
      return node.size === 8 && !this.#locals[value.id] && this.#isNarrow(value) ? 32 : node.size * 8;
    }
    if (node.op !== "pure" || depth === MAX_DEPTH) return 64;
    const [x, y, z] = node.args as readonly [Value, Value, Value];
    const width = (operand: Value): number => this.widthOf(operand, depth + 1);
    switch (node.name) {
      case "i64.and":
        return Math.min(width(x), width(y));
      case "i64.or":
      case "i64.xor":
        return Math.max(width(x), width(y));
      case "i64.shr_u":
        return width(x);
      case "i64.select":
        return z.type === "i32" ? Math.max(width(x), width(y)) : 64;
      case "i64.extend_i32_u":
        return 32;
      case "i64.clz":
      case "i64.ctz":
      case "i64.popcnt":
        return 7;
      default:
        return 64;
    }
  }

  #isNarrow({ node }: Value): boolean {
    if (node.op !== "readRegister") return false;
    const register = this.#constants.register(node.selector);
    return register < PSEUDO_REGISTERS.ZERO && (this.#region.narrow & (1 << (register >> 3))) !== 0;
  }

  /** Writes the lowest `bits` of an i64 as an i64. */
  masked(value: Value, bits: number): void {
    const { f } = this.#region;
    if (bits === 64 || this.widthOf(value) <= bits) return this.#value(value);
    if (bits === 32) {
      this.lowHalf(value);
      return f.emit("i64.extend_i32_u");
    }
    this.#value(value);
    f.i64(2 ** bits - 1);
    f.emit("i64.and");
  }

  /** Writes the lower half of an i64 as an i32. */
  lowHalf(value: Value): void {
    const { f } = this.#region;
    const { node, id } = value;
    const constant = this.#constants.valueOf(value);
    if (constant !== undefined) return f.i32(Number(BigInt.asIntN(32, BigInt(constant))));
    if (this.#locals[id]) return this.#wrapped(value);
    if (node.op === "readRegister" && node.file === "general" && node.size === 4) return this.#registerHalf(value);
    if (node.op !== "pure") return this.#wrapped(value);
    const [x, y] = node.args as readonly [Value, Value];
    const { name } = node;
    if (name === "i64.extend_i32_u" || name === "i64.extend_i32_s") return this.#value(x);
    if (name === "i64.and" && this.#isLowHalf(y)) return this.lowHalf(x);
    if (!isNarrow(name)) return this.#wrapped(value);
    if (this.#isNeutral(name, y)) return this.lowHalf(x);
    if (this.#isNeutral(name, x) && name !== "i64.sub") return this.lowHalf(y);
    this.lowHalf(x);
    this.lowHalf(y);
    f.emit(NARROW[name]);
  }

  #wrapped(value: Value): void {
    this.#value(value);
    this.#region.f.emit("i32.wrap_i64");
  }

  /** Whatever is above, unlike a read of 32 bits. */
  #registerHalf(value: Value): void {
    const { node } = value;
    const register = node.op === "readRegister" ? this.#constants.register(node.selector) : PSEUDO_REGISTERS.ZERO;
    const local = register < PSEUDO_REGISTERS.ZERO ? this.#region.registers[register >> 3] : undefined;
    if (!local) return this.#wrapped(value);
    this.#region.f.get(local);
    this.#region.f.emit("i32.wrap_i64");
  }

  #isLowHalf(mask: Value): boolean {
    const constant = this.#constants.valueOf(mask);
    return constant !== undefined && BigInt.asIntN(32, BigInt(constant)) === -1n;
  }

  #isNeutral(name: PureOpName, operand: Value): boolean {
    return name !== "i64.and" && name !== "i64.mul" && Number(this.#constants.valueOf(operand)) === 0;
  }
}

/** The number of bits that an operand's mask leaves, if it is one. */
export function maskedBits(mask: bigint | number | undefined): 8 | 16 | 32 | undefined {
  switch (Number(mask)) {
    case 0xff:
      return 8;
    case 0xffff:
      return 16;
    case 0xffff_ffff:
      return 32;
    default:
      return undefined;
  }
}

function widthOfConstant(constant: bigint | number): number {
  if (typeof constant === "number" && constant >= 0 && constant <= 0xffff_ffff) return 32 - Math.clz32(constant);
  const value = BigInt.asUintN(64, BigInt(constant));
  return value >> 32n ? 64 : 32 - Math.clz32(Number(value));
}
