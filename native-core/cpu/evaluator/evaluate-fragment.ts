// Executes one fragment on bigint: slow, direct, and independent of how the interpreter lowers it. The oracle of tests.
import { unreachable } from "../../common/assert.ts";
import type { Exit, FieldName, Fragment, RegisterSelector, Size, Statement, Value } from "../../ir/nodes.ts";
import { type Constant, PURE_OPS } from "../../ir/ops.ts";
import type { Operation } from "../../x86/operation.ts";
import { GPR_OFFSET, STATE, VECTOR_OFFSET, VECTOR_STRIDE, X87_OFFSET, X87_STRIDE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException } from "../context.ts";
import { HELPERS } from "../helpers/registry.ts";
import { conditionHolds, FLAG_BITS, flagsAfter } from "./flags.ts";

/** Where control goes: undefined to the next operation. `indirect` carries its target. */
export type Outcome =
  | { readonly to: Exclude<Exit["to"], "indirect"> }
  | { readonly to: "indirect"; readonly target: bigint };

/** Host memory as `translate`, `hostCopy` and `hostFill` need it. */
export interface HostMemory {
  /** Host address of a byte, or -1 outside RAM. Throws CpuException. */
  translate(linear: bigint, write: boolean): number;
  readonly bytes: Uint8Array;
}

const CONTROL = new Map([
  [0, STATE.cr0],
  [2, STATE.cr2],
  [3, STATE.cr3],
  [4, STATE.cr4],
  [8, STATE.cr8],
]);
const DEBUG = [STATE.dr0, STATE.dr1, STATE.dr2, STATE.dr3, undefined, undefined, STATE.dr6, STATE.dr7];

/** Throws CpuException where the instruction faults. */
export function evaluateFragment(
  fragment: Fragment,
  operation: Operation,
  cpu: CpuContext,
  host: HostMemory,
): Outcome | undefined {
  return new Evaluation(operation, cpu, host).body(fragment.body);
}

class Evaluation {
  readonly #operation: Operation;
  readonly #cpu: CpuContext;
  readonly #host: HostMemory;
  readonly #values = new Map<number, Constant>();
  readonly #variables = new Map<number, Constant>();

  constructor(operation: Operation, cpu: CpuContext, host: HostMemory) {
    this.#operation = operation;
    this.#cpu = cpu;
    this.#host = host;
  }

  body(statements: readonly Statement[]): Outcome | undefined {
    for (const statement of statements) {
      const outcome = this.#statement(statement);
      if (outcome) return outcome;
    }
    return undefined;
  }

  #statement(statement: Statement): Outcome | undefined {
    const { state, memory } = this.#cpu;
    switch (statement.kind) {
      case "define":
        this.#values.set(statement.value.id, this.#compute(statement.value));
        return undefined;
      case "setVariable":
        this.#variables.set(statement.variable.id, this.#value(statement.value));
        return undefined;
      case "writeState":
        state.set(statement.slot, this.#integer(statement.value));
        return undefined;
      case "writeRegister":
        this.#writeRegister(statement);
        return undefined;
      case "setFlags": {
        const [a, b, result] = [statement.a, statement.b, statement.result].map((value) => this.#integer(value));
        state.flags = flagsAfter(state.flags, statement.operation, statement.size, a ?? 0n, b ?? 0n, result ?? 0n);
        return undefined;
      }
      case "writeFlag": {
        const bit = FLAG_BITS[statement.flag];
        state.flags = this.#value(statement.value) === 1 ? state.flags | bit : state.flags & ~bit;
        return undefined;
      }
      case "writeArithmeticFlags": {
        const all = Object.values(FLAG_BITS).reduce((sum, bit) => sum | bit, 0n);
        state.flags = (state.flags & ~all) | (this.#integer(statement.value) & all);
        return undefined;
      }
      case "store": {
        const address = this.#integer(statement.address);
        const value = BigInt(this.#value(statement.value));
        if (statement.size === 16) memory.writeBytes(address, toBytes(value, 16));
        else memory.write(address, statement.size, BigInt.asUintN(statement.size * 8, value));
        return undefined;
      }
      case "hostCopy": {
        const [target, source, bytes] = [statement.target, statement.source, statement.bytes].map((v) =>
          this.#host32(v),
        );
        this.#host.bytes.copyWithin(target ?? 0, source ?? 0, (source ?? 0) + (bytes ?? 0));
        return undefined;
      }
      case "hostFill": {
        const [target, byte, bytes] = [statement.target, statement.byte, statement.bytes].map((v) => this.#host32(v));
        this.#host.bytes.fill((byte ?? 0) & 0xff, target, (target ?? 0) + (bytes ?? 0));
        return undefined;
      }
      case "if":
        return this.body(this.#value(statement.condition) === 0 ? statement.otherwise : statement.then);
      case "loop":
        for (;;) {
          const outcome = this.body(statement.body);
          if (outcome) return outcome;
          if (this.#value(statement.again) === 0) return undefined;
        }
      case "raise":
        throw new CpuException(statement.vector, statement.errorCode && Number(this.#integer(statement.errorCode)));
      case "exit":
        if (statement.exit.to === "indirect")
          return { to: "indirect", target: BigInt.asUintN(64, this.#integer(statement.exit.target)) };
        return { to: statement.exit.to };
      default:
        return unreachable(statement);
    }
  }

  #value(value: Value): Constant {
    const { node } = value;
    if (node.op === "const") return node.value;
    if (node.op === "field") return this.#field(node.field);
    const known = this.#values.get(value.id);
    if (known === undefined) throw new Error(`value ${value.id} (${node.op}) is used before it is defined`);
    return known;
  }

  #integer(value: Value): bigint {
    return BigInt(this.#value(value));
  }

  #host32(value: Value): number {
    return Number(this.#value(value)) >>> 0;
  }

  #compute(value: Value): Constant {
    const { node } = value;
    const { state, memory } = this.#cpu;
    switch (node.op) {
      case "const":
        return node.value;
      case "field":
        return this.#field(node.field);
      case "pure":
        return PURE_OPS[node.name].evaluate(
          node.args.map((arg) => this.#value(arg)),
          node.immediate ?? [],
        );
      case "getVariable":
        return this.#variables.get(node.variable.id) ?? 0n;
      case "readState":
        return BigInt.asIntN(64, state.get(node.slot));
      case "readRegister":
        return this.#readRegister(node);
      case "readSegment": {
        const segment = node.segment === "fieldReg" ? this.#operation.reg : node.segment;
        return BigInt.asIntN(64, state.segment(segment, node.part));
      }
      case "readFlag":
        return state.flags & FLAG_BITS[node.flag] ? 1 : 0;
      case "condition":
        return conditionHolds(state.flags, node.code) ? 1 : 0;
      case "readFlags":
        return state.flags;
      case "load": {
        const address = this.#integer(node.address);
        // A destination that will be written faults as a write does.
        if (node.forWrite) {
          this.#host.translate(address, true);
          const last = address + BigInt(node.size - 1);
          // A fault there is reported at the first byte of the second page.
          if ((last ^ address) >> 12n) this.#host.translate(BigInt.asUintN(64, last & ~0xfffn), true);
        }
        if (node.size !== 16) return BigInt.asIntN(64, memory.read(BigInt.asUintN(64, address), node.size));
        const bytes = new Uint8Array(16);
        memory.readBytes(BigInt.asUintN(64, address), bytes);
        return fromBytes(bytes);
      }
      case "translate":
        return this.#host.translate(this.#integer(node.address), node.write) | 0;
      case "callHelper": {
        const helper = HELPERS[node.helper];
        if (!helper) throw new Error(`no helper ${node.helper}`);
        const args = node.args.map((arg) => BigInt.asUintN(64, this.#integer(arg)));
        return BigInt.asIntN(64, helper(this.#cpu, ...args));
      }
      default:
        return unreachable(node);
    }
  }

  #field(name: FieldName): bigint {
    const { disp, imm } = this.#operation;
    if (name === "imm64") return BigInt.asIntN(64, (BigInt(imm) << 32n) | BigInt.asUintN(32, BigInt(disp)));
    if (name === "vvvv") return BigInt((imm >> 8) & 0xff);
    if (name === "is4") return BigInt((imm >> 16) & 0xff);
    return BigInt(this.#operation[name]);
  }

  #register(selector: RegisterSelector): number {
    return selector.kind === "field" ? Number(this.#field(selector.field)) : selector.register;
  }

  /** Bytes of a register in the state, for the files that are there as bytes. */
  #registerBytes(
    file: "general" | "vector" | "x87",
    selector: RegisterSelector,
    size: Size | 16,
    high: boolean,
  ): Uint8Array {
    const number = this.#register(selector);
    const offset =
      file === "general"
        ? GPR_OFFSET + number
        : file === "vector"
          ? VECTOR_OFFSET + number * VECTOR_STRIDE + (high ? 16 : 0)
          : X87_OFFSET + number * X87_STRIDE + (size === 2 ? 8 : 0);
    return this.#cpu.state.bytes.subarray(offset, offset + size);
  }

  #readRegister({ file, selector, size, highPart }: Value["node"] & { op: "readRegister" }): bigint {
    const { state } = this.#cpu;
    const number = this.#register(selector);
    switch (file) {
      case "segment":
        return state.segment(number, "selector");
      case "control":
      case "debug": {
        const slot = file === "control" ? CONTROL.get(number) : DEBUG[number];
        return slot ? BigInt.asIntN(64, state.get(slot)) : 0n;
      }
      default: {
        const value = fromBytes(this.#registerBytes(file, selector, size, highPart ?? false));
        return size === 16 ? value : BigInt.asIntN(64, value);
      }
    }
  }

  #writeRegister({ file, selector, size, highPart, value }: Statement & { kind: "writeRegister" }): void {
    const { state } = this.#cpu;
    const number = this.#register(selector);
    const bits = BigInt(this.#value(value));
    switch (file) {
      case "segment":
        state.setSegment(number, "selector", bits);
        return;
      case "control":
      case "debug": {
        const slot = file === "control" ? CONTROL.get(number) : DEBUG[number];
        if (slot) state.set(slot, bits);
        return;
      }
      default: {
        // A write of 4 bytes clears the upper half of a general register.
        const written = file === "general" && size === 4 ? 8 : size;
        const target = this.#registerBytes(file, selector, written, highPart ?? false);
        target.set(toBytes(BigInt.asUintN(size * 8, bits), written));
      }
    }
  }
}

export function toBytes(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, n) => Number((value >> BigInt(n * 8)) & 0xffn));
}

export function fromBytes(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
