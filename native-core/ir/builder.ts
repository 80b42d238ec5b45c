// Builds a Fragment: the only way to make IR. Types are checked here, constants folded, and program order kept.
import { assert } from "../common/assert.ts";
import type {
  ConditionCode,
  Exit,
  FieldName,
  FlagName,
  FlagOperation,
  Fragment,
  RegisterFile,
  RegisterSelector,
  Size,
  Statement,
  StateSlot,
  Value,
  ValueNode,
  ValueType,
  Variable,
} from "./nodes.ts";
import { foldPure, isConstant, PURE_OPS, type PureOpName } from "./ops.ts";

export class IrBuilder {
  #statements: Statement[] = [];
  #values = 0;
  #variables = 0;

  finish(): Fragment {
    return { body: this.#statements, valueCount: this.#values, variableCount: this.#variables };
  }

  // --- pure values -------------------------------------------------------------------------------------------------

  i64(value: bigint | number): Value {
    return this.#value("i64", { op: "const", value: BigInt.asIntN(64, BigInt(value)) });
  }

  i32(value: number): Value {
    return this.#value("i32", { op: "const", value: value | 0 });
  }

  f32(value: number): Value {
    return this.#value("f32", { op: "const", value });
  }

  f64(value: number): Value {
    return this.#value("f64", { op: "const", value });
  }

  /** Lane 0 lowest. */
  v128(value: bigint): Value {
    return this.#value("v128", { op: "const", value: BigInt.asUintN(128, value) });
  }

  /** Any pure operation, by its WebAssembly name. `immediate` holds lane indices and shuffle masks. */
  pure(name: PureOpName, args: readonly Value[], immediate?: readonly number[]): Value {
    const op = PURE_OPS[name];
    assert(args.length === op.params.length, `${name} takes ${op.params.length} operands, got ${args.length}`);
    args.forEach((arg, i) => {
      assert(arg.type === op.params[i], `${name}: operand ${i} is ${arg.type}, not ${op.params[i]}`);
    });
    const folded = args.every(isConstant) ? foldPure(name, args, immediate) : undefined;
    const node: ValueNode = folded ?? (immediate ? { op: "pure", name, args, immediate } : { op: "pure", name, args });
    const value = this.#value(op.result, node);
    // Pure values are listed too, so that a value used several times has a place to be computed once.
    this.#statements.push({ kind: "define", value });
    return value;
  }

  /** A field of the operation: i64 (sign-extended for disp, imm and imm64; zero-extended otherwise). */
  field(field: FieldName): Value {
    return this.#value("i64", { op: "field", field });
  }

  // --- variables and control flow ----------------------------------------------------------------------------------

  variable(initial: Value): Variable {
    const variable: Variable = { id: this.#variables++, type: initial.type };
    this.set(variable, initial);
    return variable;
  }

  get(variable: Variable): Value {
    return this.#define(variable.type, { op: "getVariable", variable });
  }

  set(variable: Variable, value: Value): void {
    assert(variable.type === value.type, `variable is ${variable.type}, value is ${value.type}`);
    this.#statements.push({ kind: "setVariable", variable, value });
  }

  /** `condition` is i32. */
  if(condition: Value, then: () => void, otherwise?: () => void): void {
    assert(condition.type === "i32", "a condition is i32");
    const outer = this.#statements;
    const thenBody = this.#collect(then);
    const otherwiseBody = otherwise ? this.#collect(otherwise) : [];
    this.#statements = outer;
    outer.push({ kind: "if", condition, then: thenBody, otherwise: otherwiseBody });
  }

  /** Runs `body` once and again as long as the i32 it returns is non-zero. */
  loop(body: () => Value): void {
    const outer = this.#statements;
    let again: Value | undefined;
    const statements = this.#collect(() => {
      again = body();
    });
    this.#statements = outer;
    assert(again?.type === "i32", "a loop body returns i32");
    outer.push({ kind: "loop", body: statements, again });
  }

  // --- machine state -----------------------------------------------------------------------------------------------

  /** i64, zero-extended from the slot's size. */
  readState(slot: StateSlot): Value {
    return this.#define("i64", { op: "readState", slot });
  }

  writeState(slot: StateSlot, value: Value): void {
    this.#statements.push({ kind: "writeState", slot, value });
  }

  /**
   * General, segment, control, debug: zero-extended i64 of `size` bytes. Vector with size 16: v128 (`highPart`: bits 128..255), with size 4 or 8:
   * the low bits as i64. x87 with size 8: the significand; with size 2: sign and exponent.
   */
  readRegister(file: RegisterFile, selector: RegisterSelector, size: Size | 16, highPart = false): Value {
    return this.#define(size === 16 ? "v128" : "i64", { op: "readRegister", file, selector, size, highPart });
  }

  /** General: size 4 zero-extends to 64 bits, sizes 1 and 2 keep the rest. Vector with size 4 or 8: keeps the other bits. */
  writeRegister(file: RegisterFile, selector: RegisterSelector, size: Size | 16, value: Value, highPart = false): void {
    assert(value.type === (size === 16 ? "v128" : "i64"), `register write of ${size} bytes from ${value.type}`);
    this.#statements.push({ kind: "writeRegister", file, selector, size, value, highPart });
  }

  readSegment(segment: number | "fieldReg", part: "base" | "limit" | "attributes" | "selector"): Value {
    return this.#define("i64", { op: "readSegment", segment, part });
  }

  // --- flags -------------------------------------------------------------------------------------------------------

  setFlags(operation: FlagOperation, size: Size, a: Value, b: Value, result: Value): void {
    this.#statements.push({ kind: "setFlags", operation, size, a, b, result });
  }

  /** i32 0 or 1. */
  readFlag(flag: FlagName): Value {
    return this.#define("i32", { op: "readFlag", flag });
  }

  writeFlag(flag: FlagName, value: Value): void {
    assert(value.type === "i32", "a flag is written from i32");
    this.#statements.push({ kind: "writeFlag", flag, value });
  }

  /** i32 0 or 1. */
  condition(code: ConditionCode): Value {
    return this.#define("i32", { op: "condition", code });
  }

  /** All of RFLAGS as i64. */
  readFlags(): Value {
    return this.#define("i64", { op: "readFlags" });
  }

  writeArithmeticFlags(value: Value): void {
    this.#statements.push({ kind: "writeArithmeticFlags", value });
  }

  // --- guest memory (linear addresses, i64) --------------------------------------------------------------------------

  /** Zero-extended i64, or v128 for 16. `forWrite`: the page must be writable (read-modify-write faults as a write). */
  load(size: Size | 16, address: Value, forWrite = false): Value {
    assert(address.type === "i64", "a linear address is i64");
    return this.#define(size === 16 ? "v128" : "i64", { op: "load", size, address, forWrite });
  }

  store(size: Size | 16, address: Value, value: Value): void {
    assert(value.type === (size === 16 ? "v128" : "i64"), `store of ${size} bytes from ${value.type}`);
    this.#statements.push({ kind: "store", size, address, value });
  }

  /** Host address (i32) of the byte at a linear address, or -1 where it is not plain RAM. May fault. */
  translate(address: Value, write: boolean): Value {
    return this.#define("i32", { op: "translate", address, write });
  }

  hostCopy(target: Value, source: Value, bytes: Value): void {
    this.#statements.push({ kind: "hostCopy", target, source, bytes });
  }

  hostFill(target: Value, byte: Value, bytes: Value): void {
    this.#statements.push({ kind: "hostFill", target, byte, bytes });
  }

  // --- leaving -------------------------------------------------------------------------------------------------------

  /** A helper of cpu/helpers by name; i64 operands, i64 result. It may raise an exception: nothing after it happens then. */
  callHelper(helper: string, args: readonly Value[] = []): Value {
    return this.#define("i64", { op: "callHelper", helper, args });
  }

  raise(vector: number, errorCode?: Value): void {
    this.#statements.push(errorCode ? { kind: "raise", vector, errorCode } : { kind: "raise", vector });
  }

  exit(exit: Exit): void {
    this.#statements.push({ kind: "exit", exit });
  }

  // --------------------------------------------------------------------------------------------------------------------

  #value(type: ValueType, node: ValueNode): Value {
    return { id: this.#values++, type, node };
  }

  #define(type: ValueType, node: ValueNode): Value {
    const value = this.#value(type, node);
    this.#statements.push({ kind: "define", value });
    return value;
  }

  #collect(body: () => void): Statement[] {
    this.#statements = [];
    body();
    return this.#statements;
  }
}
