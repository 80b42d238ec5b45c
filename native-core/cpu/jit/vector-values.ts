// Vector registers and floats of an operation being lowered. Its fragment speaks of scalars as i64 that hold the bits of a float; here they
// stay floats, or lanes of a vector: from one register file of the host to the other is further than a float operation takes.
import type { Size, Value, Variable } from "../../ir/nodes.ts";
import type { Local } from "../../wasm/types.ts";
import type { CompiledOperation } from "./block-source.ts";
import type { OperationConstants } from "./operation-constants.ts";
import { type FloatType, floatOf } from "./prepared-forms.ts";
import { FIRST_VECTOR } from "./region-registers.ts";
import type { RegionWriter } from "./region-writer.ts";

const EXTRACT_LANE = {
  1: "i8x16.extract_lane_u",
  2: "i16x8.extract_lane_u",
  4: "i32x4.extract_lane",
  8: "i64x2.extract_lane",
} as const;
const REPLACE_LANE = {
  1: "i8x16.replace_lane",
  2: "i16x8.replace_lane",
  4: "i32x4.replace_lane",
  8: "i64x2.replace_lane",
} as const;
const FLOAT_OF_SIZE: Partial<Record<Size, FloatType>> = { 4: "f32", 8: "f64" };
const SHAPE = { f32: "f32x4", f64: "f64x2" } as const;

/** The lowest lane of a vector register. */
interface Scalar {
  /** The register as it was where the lane was read. */
  readonly local: Local;
  readonly size: 4 | 8;
}

export class VectorValues {
  readonly #region: RegionWriter;
  readonly #operation: CompiledOperation;
  readonly #constants: OperationConstants;
  /** Of values that are in locals, by id; a scalar has one of type v128. */
  readonly #locals: readonly (Local | undefined)[];
  readonly #value: (value: Value) => void;
  readonly #variables: (Local | undefined)[] = [];

  /** `value` writes a value as what the fragment says it is. */
  constructor(
    region: RegionWriter,
    operation: CompiledOperation,
    constants: OperationConstants,
    locals: readonly (Local | undefined)[],
    value: (value: Value) => void,
  ) {
    this.#region = region;
    this.#operation = operation;
    this.#constants = constants;
    this.#locals = locals;
    this.#value = value;
  }

  // --- registers ------------------------------------------------------------------------------------------------------------

  readVector(register: number, size: Size | 16): void {
    const vector = this.#vector(register);
    if (size === 16) this.#region.f.get(vector);
    else this.lowestLane(vector, size);
  }

  /** As i64, zero-extended. */
  lowestLane(vector: Local, size: Size): void {
    const { f } = this.#region;
    f.get(vector);
    f.lanes(EXTRACT_LANE[size], [0]);
    if (size !== 8) f.emit("i64.extend_i32_u");
  }

  writeVector(register: number, size: Size | 16, value: Value): void {
    const { f } = this.#region;
    const local = this.#vector(register);
    if (size === 16) this.#value(value);
    else {
      // The value may leave: it comes before the rest of the register is looked at.
      const type = this.#floatIn(value);
      const float = type === FLOAT_OF_SIZE[size] ? type : undefined;
      const kept = f.borrow(float ?? "i64");
      if (float) this.float(float, value);
      else this.#value(value);
      f.set(kept);
      f.get(local);
      f.get(kept);
      if (!float && size !== 8) f.emit("i32.wrap_i64");
      f.lanes(float ? `${SHAPE[float]}.replace_lane` : REPLACE_LANE[size], [0]);
      f.release(kept);
    }
    this.#region.dirty |= 1 << (FIRST_VECTOR + register);
    f.set(local);
  }

  #vector(register: number): Local {
    const local = this.#region.registers[FIRST_VECTOR + register];
    if (!local) throw new Error(`vector register ${register} is not in its form's list`);
    return local;
  }

  /** A swizzle whose indices are constant and all in the vector; false if they are not. Hosts have better instructions for it. */
  shuffle(vector: Value, indices: bigint | number | undefined): boolean {
    if (indices === undefined) return false;
    const lanes = Array.from({ length: 16 }, (_, n) => Number((BigInt(indices) >> BigInt(8 * n)) & 0xffn));
    if (lanes.some((lane) => lane > 15)) return false;
    const { f } = this.#region;
    const kept = f.borrow("v128");
    this.#value(vector);
    f.tee(kept);
    f.get(kept);
    f.lanes("i8x16.shuffle", lanes);
    f.release(kept);
    return true;
  }

  // --- variables ------------------------------------------------------------------------------------------------------------

  /** Gives the locals of all variables back: the operation is done. */
  release(): void {
    for (let id = 0; id < this.#variables.length; id++) {
      const local = this.#variables[id];
      if (local) this.#region.f.release(local);
    }
  }

  getVariable(variable: Variable): void {
    const { f } = this.#region;
    f.get(this.#variable(variable));
    const type = this.#typeOf(variable);
    if (type === "f64") f.emit("i64.reinterpret_f64");
    if (type !== "f32") return;
    f.emit("i32.reinterpret_f32");
    f.emit("i64.extend_i32_u");
  }

  setVariable(variable: Variable, value: Value): void {
    const type = this.#typeOf(variable);
    if (type) this.float(type, value);
    else this.#value(value);
    this.#region.f.set(this.#variable(variable));
  }

  #variable(variable: Variable): Local {
    let local = this.#variables[variable.id];
    if (!local) {
      local = this.#region.f.borrow(this.#typeOf(variable) ?? variable.type);
      this.#variables[variable.id] = local;
    }
    return local;
  }

  #typeOf({ id }: Variable): FloatType | undefined {
    return this.#operation.prepared.floats.get(id);
  }

  // --- floats ---------------------------------------------------------------------------------------------------------------

  /** The float that an i64 has the bits of. */
  float(type: FloatType, bits: Value): void {
    const { f } = this.#region;
    const { node } = bits;
    if (this.#floatIn(bits) !== type) {
      this.#value(bits);
      if (type === "f32") f.emit("i32.wrap_i64");
      return f.emit(type === "f32" ? "f32.reinterpret_i32" : "f64.reinterpret_i64");
    }
    if (node.op === "getVariable") return f.get(this.#variable(node.variable));
    const scalar = this.scalarOf(bits);
    if (!scalar) return this.#value(floatOf(bits)?.float as Value);
    f.get(scalar.local);
    f.lanes(`${SHAPE[type]}.extract_lane`, [0]);
  }

  /** The type of a value whose bits are in a float or a vector already. */
  #floatIn(value: Value): FloatType | undefined {
    const scalar = this.scalarOf(value);
    if (scalar) return FLOAT_OF_SIZE[scalar.size];
    if (this.#locals[value.id]) return undefined;
    const { node } = value;
    return node.op === "getVariable" ? this.#typeOf(node.variable) : floatOf(value)?.type;
  }

  scalarOf({ id, node }: Value): Scalar | undefined {
    if (node.op !== "readRegister" || node.file !== "vector" || node.highPart) return undefined;
    const { size } = node;
    const register = this.#constants.register(node.selector);
    if ((size !== 4 && size !== 8) || register > 15) return undefined;
    return { local: this.#locals[id] ?? this.#vector(register), size };
  }
}
