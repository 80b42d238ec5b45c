// Lowers a fragment to Wasm: expressions become expression trees, values used several times locals, effects keep their order.
import { unreachable } from "../../common/assert.ts";
import { changes, PART } from "../../ir/effects.ts";
import type { Exit, Fragment, Size, Statement, StateSlot, Value, Variable } from "../../ir/nodes.ts";
import { isRoutine, type PureOpName } from "../../ir/ops.ts";
import { mergeDuplicates } from "../../ir/passes/merge-duplicates.ts";
import { type Placement, placeValues } from "../../ir/passes/place-values.ts";
import { allStatements } from "../../ir/walk.ts";
import {
  add32,
  add64,
  and64,
  type Code,
  call,
  choose,
  copy,
  fill,
  get,
  i32,
  i64,
  op,
  seq,
  set,
  unlikely,
  when,
  wrap,
} from "../../wasm/code.ts";
import type { OpcodeName } from "../../wasm/opcodes.ts";
import type { Local } from "../../wasm/types.ts";
import { PSEUDO_REGISTERS } from "../../x86/state-layout.ts";
import { exceptionPending, raise, readSlot, writeCell, writeSlot } from "../mmu/cells.ts";
import { CELLS, GUEST_MEMORY } from "../mmu/memory-layout.ts";
import { NEXT_SLOT, TAKEN_SLOT } from "./block-layout.ts";
import * as flags from "./lower-flags.ts";
import { lowerLoad, lowerStore, lowerStoreBack } from "./lower-memory.ts";
import { field64, readRegister, readSegment, writeRegister } from "./lower-registers.ts";
import type { LoweringTarget, Variant } from "./target.ts";

/** Writes the fragment's code into the target. `legacy`: RIP has 32 bits. */
export function lowerFragment(target: LoweringTarget, fragment: Fragment, variant: Variant, legacy: boolean): void {
  const merged = mergeDuplicates(variant.quiet ? withoutFlags(fragment) : fragment);
  const lowering = new Lowering(target, merged, variant, legacy);
  lowering.body(merged.body)(target.f);
  lowering.release();
}

/** Without flag updates; what was computed only for them is then not needed. */
function withoutFlags(fragment: Fragment): Fragment {
  return { ...fragment, body: fragment.body.filter(({ kind }) => kind !== "setFlags") };
}

const SIZE_MASKS: Partial<Record<Size | 16, bigint>> = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn };

/** Address in memory of a host address. */
const guestAddress = (host: Code): Code => add32(host, i32(GUEST_MEMORY.address));

class Lowering {
  readonly #target: LoweringTarget;
  readonly #placement: Placement;
  readonly #variant: Variant;
  readonly #legacy: boolean;
  /** The instruction may have enabled interrupts: its exits look for pending ones. */
  readonly #changesSystem: boolean;
  readonly #locals = new Map<number, Local>();
  readonly #variables = new Map<number, Local>();
  /** Host addresses left by loads for writing, by the id of their linear address. */
  readonly #hosts = new Map<number, { local: Local; size: number }>();

  constructor(target: LoweringTarget, fragment: Fragment, variant: Variant, legacy: boolean) {
    this.#target = target;
    this.#variant = variant;
    this.#legacy = legacy;
    this.#changesSystem = allStatements(fragment.body).some((statement) => changes(statement) & PART.system);
    this.#placement = placeValues(fragment, { flagOperandUses: ({ operation }) => flags.flagOperandUses(operation) });
  }

  release(): void {
    const hosts = [...this.#hosts.values()].map(({ local }) => local);
    for (const local of [...this.#locals.values(), ...this.#variables.values(), ...hosts])
      this.#target.f.release(local);
  }

  // --- statements -----------------------------------------------------------------------------------------------------------

  body(statements: readonly Statement[]): Code {
    return (f) => {
      for (const statement of statements) {
        this.#statement(statement)(f);
        // Nothing behind an exit is reachable.
        if (statement.kind === "exit" || statement.kind === "raise") return;
      }
    };
  }

  #statement(statement: Statement): Code {
    const { operation, runtime } = this.#target;
    switch (statement.kind) {
      case "define":
        return this.#define(statement.value);
      case "setVariable":
        return set(this.#variable(statement.variable), this.#value(statement.value));
      case "writeState":
        return this.#writeState(statement.slot, this.#value(statement.value));
      case "writeRegister": {
        const { file, selector, size, highPart = false, value } = statement;
        const narrow = file === "general" && size === 4 ? 8 : size;
        return writeRegister(operation, file, selector, size, highPart, this.#unmasked(value, narrow));
      }
      case "setFlags": {
        const local = this.#target.f.borrow("i64");
        const scratch = { set: (value: Code) => set(local, value), get: get(local) };
        const [a, b, result] = [statement.a, statement.b, statement.result].map((value) => this.#value(value));
        this.#target.f.release(local);
        return flags.setFlags(statement.operation, statement.size, a as Code, b as Code, result as Code, scratch);
      }
      case "writeFlag":
        return flags.writeFlag(statement.flag, this.#value(statement.value), call(runtime.composeFlags), (value) =>
          call(runtime.writeArithmeticFlags, value),
        );
      case "writeArithmeticFlags":
        return call(runtime.writeArithmeticFlags, this.#value(statement.value));
      case "store":
        return this.#store(statement);
      case "hostCopy":
        return copy(
          0,
          guestAddress(this.#value(statement.target)),
          guestAddress(this.#value(statement.source)),
          this.#value(statement.bytes),
        );
      case "hostFill":
        return fill(
          0,
          guestAddress(this.#value(statement.target)),
          this.#value(statement.byte),
          this.#value(statement.bytes),
        );
      case "if":
        return when(
          this.#value(statement.condition),
          [this.#branch(statement.then)],
          statement.otherwise.length > 0 ? [this.#branch(statement.otherwise)] : [],
        );
      case "loop":
        return (f) => {
          const label = f.open("loop");
          this.#branch(statement.body)(f);
          this.#value(statement.again)(f);
          f.brIf(label);
          f.close(label);
        };
      case "raise":
        return seq(
          ...raise(statement.vector, statement.errorCode && wrap(this.#value(statement.errorCode))),
          this.#target.exits.fault(),
        );
      case "exit":
        return this.#exit(statement.exit);
      default:
        return unreachable(statement);
    }
  }

  /** Host addresses known before a branch stay known in it; those found in it are not known behind it. */
  #branch(statements: readonly Statement[]): Code {
    return (f) => {
      const before = new Set(this.#hosts.keys());
      this.body(statements)(f);
      for (const [id, { local }] of this.#hosts) {
        if (before.has(id)) continue;
        this.#hosts.delete(id);
        f.release(local);
      }
    };
  }

  #define(value: Value): Code {
    const uses = this.#placement.uses(value);
    const { node } = value;
    if (node.op === "const" || node.op === "field") return seq();
    const effect = node.op === "load" || node.op === "translate" || node.op === "callHelper";
    if (uses === 0) return effect ? seq(this.#compute(value), op("drop")) : seq();
    if (!this.#placement.hasLocal(value)) return seq();
    return (f) => {
      const computed = this.#compute(value);
      // Borrowed after the operands were written, so that no operand's scratch local is taken for it.
      computed(f);
      const local = f.borrow(value.type);
      this.#locals.set(value.id, local);
      f.set(local);
    };
  }

  /** The value first: if a load for writing is part of it, the host address it found serves the store. */
  #store({ size, address, value }: Statement & { kind: "store" }): Code {
    return (f) => {
      const kept = f.borrow(value.type);
      set(kept, this.#unmasked(value, size))(f);
      const known = this.#hosts.get(address.id);
      const code =
        known && known.size === size && size !== 16
          ? lowerStoreBack(this.#target, size, known.local, this.#value(address), kept)
          : lowerStore(this.#target, size, this.#value(address), kept);
      code(f);
      f.release(kept);
    };
  }

  #exit(exit: Exit): Code {
    const { exits, operation } = this.#target;
    const blockRip = readRegister(
      operation,
      "general",
      { kind: "fixed", register: PSEUDO_REGISTERS.BLOCK_RIP },
      8,
      false,
    );
    const masked = (rip: Code): Code => (this.#legacy ? and64(rip, i64(0xffff_ffff)) : rip);
    switch (exit.to) {
      case "relative":
        return exits.linked(masked(add64(blockRip, field64(operation, "disp"))), TAKEN_SLOT, this.#changesSystem);
      case "next":
        return exits.linked(
          masked(add64(add64(blockRip, field64(operation, "start")), field64(operation, "length"))),
          NEXT_SLOT,
          this.#changesSystem,
        );
      case "indirect":
        return exits.indirect(this.#value(exit.target));
      case "state":
        return exits.state();
      case "repeat":
        return exits.repeat();
      default:
        return unreachable(exit);
    }
  }

  // --- values ---------------------------------------------------------------------------------------------------------------

  #variable(variable: Variable): Local {
    let local = this.#variables.get(variable.id);
    if (!local) {
      local = this.#target.f.borrow(variable.type);
      this.#variables.set(variable.id, local);
    }
    return local;
  }

  #value(value: Value): Code {
    return (f) => {
      const local = this.#locals.get(value.id);
      if (local) f.get(local);
      else this.#compute(value)(f);
    };
  }

  /** The value without a mask that a store of `size` bytes makes superfluous. */
  #unmasked(value: Value, size: Size | 16): Code {
    const { node } = value;
    const mask = SIZE_MASKS[size];
    if (mask !== undefined && node.op === "pure" && node.name === "i64.and" && !this.#placement.hasLocal(value)) {
      const [a, b] = node.args as readonly [Value, Value];
      if (b.node.op === "const" && (BigInt(b.node.value) & mask) === mask) return this.#value(a);
    }
    return this.#value(value);
  }

  #compute(value: Value): Code {
    const { node } = value;
    const { operation, runtime } = this.#target;
    switch (node.op) {
      case "const":
        return constant(value.type, node.value);
      case "pure":
        return this.#pure(node.name, node.args, node.immediate);
      case "field":
        return field64(operation, node.field);
      case "getVariable":
        return get(this.#variable(node.variable));
      case "readState":
        return readSlot(node.slot);
      case "readRegister":
        return readRegister(operation, node.file, node.selector, node.size, node.highPart ?? false);
      case "readSegment":
        return readSegment(operation, node.segment, node.part);
      case "readFlag":
        return flags.readFlag(node.flag);
      case "condition":
        return flags.condition(node.code);
      case "readFlags":
        return call(runtime.composeFlags);
      case "load":
        return this.#load(node.size, node.address, node.forWrite);
      case "translate":
        return this.#checked(
          "i32",
          call(runtime.access.translate, this.#value(node.address), i32(node.write ? 1 : 0), get(operation)),
        );
      case "callHelper": {
        const helper = runtime.helpers.get(node.helper);
        if (!helper) throw new Error(`no helper ${node.helper}`);
        return seq(
          writeCell(CELLS.currentOperation, get(operation)),
          this.#checked("i64", call(helper, ...node.args.map((arg) => this.#value(arg)))),
        );
      }
      default:
        return unreachable(node);
    }
  }

  /** A call that may leave an exception pending: the handler then ends. */
  #checked(_type: "i32" | "i64", code: Code): Code {
    return seq(code, unlikely(exceptionPending, [this.#target.exits.fault()]));
  }

  #load(size: Size | 16, address: Value, forWrite: boolean): Code {
    const { f } = this.#target;
    return (writer) => {
      let host: Local | undefined;
      if (forWrite && size !== 16) {
        host = f.borrow("i32");
        this.#hosts.set(address.id, { local: host, size });
      }
      lowerLoad(this.#target, size, this.#value(address), forWrite, host)(writer);
    };
  }

  #pure(name: PureOpName, args: readonly Value[], immediate: readonly number[] | undefined): Code {
    const { runtime } = this.#target;
    if (this.#variant.simple && name === "i64.shl" && isIndex(args[0])) return i64(0);
    if (this.#variant.simple && name === "i64.add" && args.some(isScaledIndex)) {
      const rest = args.find((arg) => !isScaledIndex(arg));
      if (rest) return this.#value(rest);
    }
    const operands = args.map((arg) => this.#value(arg));
    switch (name) {
      case "i32.select":
      case "i64.select":
      case "f32.select":
      case "f64.select":
        return op("select", ...operands);
      case "v128.select":
        // V8 has no register form of select for vectors; a branch costs less than a trip through memory.
        return choose("v128", operands[2] as Code, operands[0] as Code, operands[1] as Code);
      default: {
        if (isRoutine(name)) return call(runtime.routines[name], ...operands);
        const opcode: OpcodeName = name;
        if (!immediate) return op(opcode, ...operands);
        return (f) => {
          for (const operand of operands) operand(f);
          f.lanes(opcode, immediate);
        };
      }
    }
  }

  #writeState(slot: StateSlot, value: Code): Code {
    return writeSlot(slot, value);
  }
}

function isIndex(value: Value | undefined): boolean {
  const node = value?.node;
  return (
    node?.op === "readRegister" &&
    node.file === "general" &&
    node.selector.kind === "field" &&
    node.selector.field === "index" &&
    node.size === 8
  );
}

function isScaledIndex(value: Value): boolean {
  return value.node.op === "pure" && value.node.name === "i64.shl" && isIndex(value.node.args[0]);
}

function constant(type: Value["type"], value: bigint | number): Code {
  return (f) => {
    if (type === "i32") f.i32(Number(value));
    else if (type === "i64") f.i64(BigInt(value));
    else if (type === "f32") f.f32(Number(value));
    else if (type === "f64") f.f64(Number(value));
    else f.v128(BigInt(value));
  };
}
