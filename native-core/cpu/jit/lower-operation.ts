// Lowers one operation: its form's fragment with fields as constants, general registers as locals and flags as flag-forms.ts says.
import { unreachable } from "../../common/assert.ts";
import type { Exit, Size, Statement, Value } from "../../ir/nodes.ts";
import { isRoutine, type PureOpName } from "../../ir/ops.ts";
import { add32, type Code, choose, copy, fill, i32, unlikely, wrap } from "../../wasm/code.ts";
import type { Label, Local } from "../../wasm/types.ts";
import { OPERATION_SIZE } from "../../x86/operation.ts";
import { PSEUDO_REGISTERS } from "../../x86/state-layout.ts";
import { readRegister, readSegment, writeRegister } from "../interpreter/lower-registers.ts";
import { exceptionPending, raise, readCell, readSlot, writeSlot } from "../mmu/cells.ts";
import { CELLS, GUEST_MEMORY } from "../mmu/memory-layout.ts";
import type { CompiledOperation } from "./block-source.ts";
import type { Address } from "./known-pages.ts";
import { type Place, writeLoad, writeStore, writeStoreBack } from "./lower-memory.ts";
import { maskedBits, NarrowValues } from "./narrow-values.ts";
import { type Constant, OperationConstants } from "./operation-constants.ts";
import { OUTCOME } from "./outcome.ts";
import { bitsOf, blockedCheck, isArithmetic, raises } from "./prepared-forms.ts";
import type { RegionWriter } from "./region-writer.ts";
import { VectorValues } from "./vector-values.ts";

/**
 * Writes what follows an exit of an operation (the target of an indirect one is on the stack). `isVoid`: the operation has just voided
 * its own code, so it leads out of the region.
 */
export type ExitWriter = (exit: Exit, isVoid: boolean) => void;

/** Writes the operation's code. */
export function lowerOperation(region: RegionWriter, operation: CompiledOperation, exit: ExitWriter): void {
  new OperationLowering(region, operation, exit).run();
}

/** Beyond that a distance is no longer a small number. */
const MAX_DELTA = 2 ** 31;
const ALL_REGISTERS = -1;
const SIZE_MASKS: Record<Size, bigint> = { 1: 0xffn, 2: 0xffffn, 4: 0xffff_ffffn, 8: -1n };
/** What may be done to an address so that it stays one; OR and AND only with what leaves it as it is. */
const ADDRESS_ARITHMETIC: ReadonlySet<PureOpName> = new Set(["i64.add", "i64.sub", "i64.and", "i64.or"]);
/** Fixed selectors never look at the operation. */
const NO_OPERATION: Local = { index: 0, type: "i32" };

interface Host {
  readonly local: Local;
  readonly size: number;
}

const NO_HOSTS: ReadonlyMap<number, Host> = new Map();

class OperationLowering {
  readonly #region: RegionWriter;
  readonly #operation: CompiledOperation;
  readonly #exit: ExitWriter;
  /** By the id of the value. One that is the lowest lane of a vector register has the whole register in a local of type v128. */
  readonly #locals: (Local | undefined)[];
  readonly #constants: OperationConstants;
  readonly #vectors: VectorValues;
  readonly #narrow: NarrowValues;
  /** Host addresses left by loads for writing, by the id of their linear address. */
  #hosts: ReadonlyMap<number, Host> = NO_HOSTS;
  /** Addresses by the id of a value that is in a local: registers may have changed since. */
  readonly #addresses: (Address | undefined)[] = [];
  /** Of an operation that may start over: where it does. */
  #round: Label | undefined;
  /** Branches around the statement being written. */
  #branches = 0;
  /** Behind the statement being written, if that may be a plain store. */
  #rest: readonly Statement[] | undefined;
  /** What is being written runs only when the operation has voided its own code. */
  #isVoid = false;

  constructor(region: RegionWriter, operation: CompiledOperation, exit: ExitWriter) {
    this.#region = region;
    this.#operation = operation;
    this.#exit = exit;
    this.#locals = new Array(operation.prepared.fragment.valueCount);
    this.#constants = new OperationConstants(operation, region.isFlat, () => region.unblocked);
    this.#narrow = new NarrowValues(region, this.#constants, this.#locals, (value) => this.#value(value));
    this.#vectors = new VectorValues(region, operation, this.#constants, this.#locals, (value) => this.#value(value));
  }

  run(): void {
    const { prepared } = this.#operation;
    const { f } = this.#region;
    if (prepared.repeats) this.#rounds(prepared.fragment.body);
    else this.#body(prepared.fragment.body, prepared.plainStores);
    if (prepared.mayVoidCode && !prepared.plainStores && !prepared.form.endsBlock)
      unlikely(readCell(CELLS.codeVoided), [this.#toNext()])(f);
    for (let id = 0; id < this.#locals.length; id++) {
      const local = this.#locals[id];
      if (local) f.release(local);
    }
    this.#vectors.release();
    for (const { local } of this.#hosts.values()) f.release(local);
  }

  // --- statements -----------------------------------------------------------------------------------------------------------

  /** What starts over is a loop around all of it. Nothing is known where rounds meet, and what a former one has written is dirty. */
  #rounds(body: readonly Statement[]): void {
    const region = this.#region;
    region.pages.forgetAll();
    region.flags.forgetForm();
    region.dirty |= this.#operation.effect.written;
    region.narrow &= ~this.#operation.effect.written;
    this.#round = region.f.open("loop");
    this.#branches++;
    this.#body(body);
    this.#branches--;
    region.f.close(this.#round);
  }

  /** Counts a round; the next one begins unless the run ends, something wants to interrupt, or this code has changed. */
  #repeat(): void {
    const region = this.#region;
    const { at, fields, address, retired } = this.#operation;
    region.retire(1)(region.f);
    region.leaveIfInterrupted(at, retired)(region.f);
    unlikely(readCell(CELLS.codeVoided), [region.resume(at - fields.start, address)])(region.f);
    region.flags.settleForm()(region.f);
    region.f.br(this.#round as Label);
  }

  #loop({ body, again }: Statement & { kind: "loop" }): void {
    const region = this.#region;
    const { f } = region;
    region.flags.forgetForm();
    region.narrow &= ~this.#operation.effect.written;
    const label = f.open("loop");
    this.#body(body);
    region.flags.forgetForm();
    this.#value(again);
    f.brIf(label);
    f.close(label);
  }

  /** False if the end cannot be reached. `plainStores`: what is behind a store is written twice, once for when it has voided the code. */
  #body(statements: readonly Statement[], plainStores = false): boolean {
    for (let n = 0; n < statements.length; n++) {
      const statement = statements[n] as Statement;
      if (plainStores) this.#rest = statements.slice(n + 1);
      this.#statement(statement);
      // Nothing behind an exit is reachable.
      if (statement.kind === "exit" || statement.kind === "raise") return false;
    }
    return true;
  }

  /** Leaves in front of the next operation. */
  #toNext(): Code {
    const { at, fields, address } = this.#operation;
    return this.#region.resume(at - fields.start, address + OPERATION_SIZE);
  }

  /** In the slow path of a plain store that has voided this code: ends the operation and leaves. */
  #ifVoided(): Code | undefined {
    const rest = this.#rest;
    if (!rest) return undefined;
    return (w) => {
      const region = this.#region;
      const { knowledge } = region;
      const locals = this.#locals.slice();
      const hosts = this.#hosts;
      this.#isVoid = true;
      if (this.#body(rest)) this.#toNext()(w);
      this.#isVoid = false;
      for (let id = 0; id < locals.length; id++) {
        const local = this.#locals[id];
        if (!local || locals[id]) continue;
        this.#locals[id] = undefined;
        region.f.release(local);
      }
      this.#restoreHosts(hosts);
      region.knowledge = knowledge;
    };
  }

  /** Those found since are not known any more. */
  #restoreHosts(hosts: ReadonlyMap<number, Host>): void {
    if (this.#hosts === hosts) return;
    for (const [id, { local }] of this.#hosts) if (!hosts.has(id)) this.#region.f.release(local);
    this.#hosts = hosts;
  }

  #statement(statement: Statement): void {
    const region = this.#region;
    const { f } = region;
    switch (statement.kind) {
      case "define":
        return this.#define(statement.value);
      case "setVariable":
        return this.#vectors.setVariable(statement.variable, statement.value);
      case "writeState":
        return writeSlot(statement.slot, this.#code(statement.value))(f);
      case "writeRegister":
        return this.#writeRegister(statement);
      case "setFlags":
        return this.#setFlags(statement);
      case "writeFlag":
        return region.flags.writeFlag(statement.flag, this.#code(statement.value));
      case "writeArithmeticFlags":
        return region.flags.writeAll(this.#code(statement.value));
      case "store":
        return this.#store(statement);
      case "hostCopy":
        return copy(
          0,
          this.#guestAddress(statement.target),
          this.#guestAddress(statement.source),
          this.#code(statement.bytes),
        )(f);
      case "hostFill":
        return fill(
          0,
          this.#guestAddress(statement.target),
          this.#code(statement.byte),
          this.#code(statement.bytes),
        )(f);
      case "loop":
        return this.#loop(statement);
      case "if":
        return this.#if(statement);
      case "raise":
        for (const code of raise(statement.vector, statement.errorCode && wrap(this.#code(statement.errorCode))))
          code(f);
        return this.#fault(f);
      case "exit":
        if (statement.exit.to === "repeat") return this.#repeat();
        if (statement.exit.to === "indirect") this.#value(statement.exit.target);
        return this.#exit(statement.exit, this.#isVoid);
      default:
        return unreachable(statement);
    }
  }

  #guestAddress(host: Value): Code {
    return add32(this.#code(host), i32(GUEST_MEMORY.address));
  }

  #if(statement: Statement & { kind: "if" }): void {
    const region = this.#region;
    const { f } = region;
    if (this.#operation.prepared.segmentChecks.has(statement)) return this.#segmentCheck(statement.condition);
    const decided = this.#constants.valueOf(statement.condition);
    if (decided !== undefined && Number(decided) === 0) return void this.#body(statement.otherwise);
    this.#value(statement.condition);
    const joins = this.#operation.prepared.flagBranches.has(statement);
    if (joins) region.flags.forgetForm();
    const before = region.flags.knowledge;
    const { narrow } = region;
    const label = f.open("if", undefined, raises(statement.then) ? false : undefined);
    this.#branch(statement.then, joins);
    let narrowBehind = narrow & region.narrow;
    if (statement.otherwise.length > 0) {
      region.flags.knowledge = before;
      region.narrow = narrow;
      f.otherwise();
      this.#branch(statement.otherwise, joins);
      narrowBehind &= region.narrow;
    }
    f.close(label);
    region.flags.knowledge = before;
    region.narrow = narrowBehind;
    region.unblocked |= blockedCheck(statement);
  }

  /** Leaves to the interpreter in front of the instruction if the access is not an ordinary one. */
  #segmentCheck(condition: Value): void {
    if (this.#constants.valueOf(condition) === 0) return;
    const region = this.#region;
    const { at, fields, first } = this.#operation;
    unlikely(this.#code(condition), [region.resume(at - fields.start, first)])(region.f);
  }

  /** Host addresses known before a branch stay known in it; those found in it are not known behind it. */
  #branch(statements: readonly Statement[], joins: boolean): void {
    this.#branches++;
    const before = this.#hosts;
    this.#body(statements);
    const last = statements.at(-1)?.kind;
    if (joins && last !== "exit" && last !== "raise") this.#region.flags.settleForm()(this.#region.f);
    this.#restoreHosts(before);
    this.#branches--;
  }

  #define(value: Value): void {
    const { placement } = this.#operation.prepared;
    const { f } = this.#region;
    const uses = placement.uses(value);
    const { op: name } = value.node;
    if (name === "const" || name === "field") return;
    if (uses === 0) {
      if (name !== "load" && name !== "translate" && name !== "callHelper") return;
      this.#compute(value);
      f.emit("drop");
      return;
    }
    if (!placement.hasLocal(value) || this.#constants.valueOf(value) !== undefined) return;
    const address = this.#addressOf(value);
    if (address) this.#addresses[value.id] = address;
    const scalar = this.#vectors.scalarOf(value);
    if (scalar) f.get(scalar.local);
    else this.#compute(value);
    const local = f.borrow(scalar ? "v128" : value.type);
    this.#locals[value.id] = local;
    f.set(local);
  }

  #setFlags({ operation, size, a, b, result }: Statement & { kind: "setFlags" }): void {
    const kept = this.#operation.prepared.placement.hasLocal(result);
    const form = operation === "sub" && !kept ? "compare" : operation;
    this.#region.flags.setFlags(form, size, this.#code(a), this.#code(b), this.#code(result));
  }

  /** The value first: if a load for writing is part of it, the host address it found serves the store. */
  #store({ size, address, value }: Statement & { kind: "store" }): void {
    const { f } = this.#region;
    const kept = f.borrow(value.type);
    this.#value(value);
    f.set(kept);
    const ends = { fault: this.#fault, voided: this.#isVoid ? undefined : this.#ifVoided() };
    const known = this.#hosts.get(address.id);
    if (known && known.size === size && size !== 16) {
      writeStoreBack(this.#region, size, known.local, this.#code(address), kept, ends);
    } else writeStore(this.#region, size, this.#place(address), kept, ends);
    f.release(kept);
  }

  readonly #fault: Code = (w) => {
    const { at, retired } = this.#operation;
    this.#region.fault(at, retired)(w);
  };

  // --- registers ------------------------------------------------------------------------------------------------------------

  #readGeneral(register: number, size: Size): void {
    const region = this.#region;
    const { f } = region;
    if (register === PSEUDO_REGISTERS.ZERO) return f.i64(0);
    if (register === PSEUDO_REGISTERS.BLOCK_RIP) {
      // Fields are relative to the block's start.
      const { at, fields } = this.#operation;
      return region.ripAt(at - fields.start)(f);
    }
    if (register === PSEUDO_REGISTERS.ADDRESS) return f.get(region.addressRegister);
    f.get(this.#register(register));
    if (register & 7) {
      f.i64(8);
      f.emit("i64.shr_u");
    }
    if (size === 8 || (size === 4 && region.narrow & (1 << (register >> 3)))) return;
    if (size === 4) {
      f.emit("i32.wrap_i64");
      return f.emit("i64.extend_i32_u");
    }
    f.i64(SIZE_MASKS[size]);
    f.emit("i64.and");
  }

  #register(register: number): Local {
    const local = this.#region.registers[register >> 3];
    if (!local) throw new Error(`register ${register} is not in its form's list`);
    return local;
  }

  #writeRegister({ file, selector, size, value, highPart = false }: Statement & { kind: "writeRegister" }): void {
    const { f } = this.#region;
    const register = this.#constants.register(selector);
    if (file === "vector" && register < 16 && !highPart) return this.#vectors.writeVector(register, size, value);
    if (file !== "general") {
      writeRegister(NO_OPERATION, file, { kind: "fixed", register }, size, highPart, this.#code(value))(f);
      return;
    }
    if (register === PSEUDO_REGISTERS.ADDRESS) {
      this.#value(value);
      this.#region.pages.setRegister(register >> 3, this.#branches === 0 ? this.#addressOf(value) : undefined);
      return f.set(this.#region.addressRegister);
    }
    const local = this.#register(register);
    const { pages } = this.#region;
    const address = this.#isWholeAddress(size) && this.#branches === 0 ? this.#addressOf(value) : undefined;
    // The value is computed first: it may read the register, and leave.
    const bit = 1 << (register >> 3);
    const isNarrow = size >= 4 && (size === 4 || this.#narrow.widthOf(value) <= 32);
    this.#narrow.masked(value, Math.min(size * 8, 64));
    if (size < 4) {
      const shift = register & 7 ? 8n : 0n;
      if (shift) {
        f.i64(8);
        f.emit("i64.shl");
      }
      f.get(local);
      f.i64(~(SIZE_MASKS[size as Size] << shift));
      f.emit("i64.and");
      f.emit("i64.or");
    } else if (isNarrow) this.#region.narrow |= bit;
    else this.#region.narrow &= ~bit;
    this.#region.dirty |= bit;
    pages.setRegister(register >> 3, address);
    f.set(local);
  }

  // --- values ---------------------------------------------------------------------------------------------------------------

  #code(value: Value): Code {
    return () => this.#value(value);
  }

  #values(values: readonly Value[]): void {
    for (let n = 0; n < values.length; n++) this.#value(values[n] as Value);
  }

  #value(value: Value): void {
    const scalar = this.#vectors.scalarOf(value);
    if (scalar) return this.#vectors.lowestLane(scalar.local, scalar.size);
    const local = this.#locals[value.id];
    if (local) return this.#region.f.get(local);
    const constant = this.#constants.valueOf(value);
    if (constant !== undefined) return this.#writeConstant(value.type, constant);
    this.#compute(value);
  }

  #writeConstant(type: Value["type"], value: Constant): void {
    const { f } = this.#region;
    if (type === "i32") f.i32(Number(value));
    else if (type === "i64") f.i64(BigInt(value));
    else if (type === "f32") f.f32(Number(value));
    else if (type === "f64") f.f64(Number(value));
    else f.v128(BigInt(value));
  }

  #compute(value: Value): void {
    const { node } = value;
    const region = this.#region;
    const { f, runtime } = region;
    switch (node.op) {
      case "const":
      case "field":
        return this.#writeConstant(value.type, this.#constants.valueOf(value) as Constant);
      case "pure":
        return this.#pure(value, node.name, node.args, node.immediate);
      case "getVariable":
        return this.#vectors.getVariable(node.variable);
      case "readState":
        return readSlot(node.slot)(f);
      case "readRegister": {
        const register = this.#constants.register(node.selector);
        if (node.file === "general") return this.#readGeneral(register, node.size as Size);
        if (node.file === "vector" && register < 16 && !node.highPart)
          return this.#vectors.readVector(register, node.size);
        const selector = { kind: "fixed", register } as const;
        return readRegister(NO_OPERATION, node.file, selector, node.size, node.highPart ?? false)(f);
      }
      case "readSegment": {
        const segment = node.segment === "fieldReg" ? this.#operation.fields.reg : node.segment;
        return readSegment(NO_OPERATION, segment, node.part)(f);
      }
      case "readFlag":
        return region.flags.readFlag(node.flag)(f);
      case "condition":
        return region.flags.condition(node.code)(f);
      case "readFlags":
        region.flags.settle()(f);
        return f.call(runtime.composeFlags);
      case "load":
        return this.#load(node.size, node.address, node.forWrite);
      case "translate":
        this.#value(node.address);
        f.i32(node.write ? 1 : 0);
        f.i32(0);
        region.storeCount()(f);
        f.call(runtime.access.translate);
        return unlikely(exceptionPending, [this.#fault])(f);
      case "callHelper":
        return this.#callHelper(node.helper, node.args);
      default:
        return unreachable(node);
    }
  }

  #callHelper(name: string, args: readonly Value[]): void {
    const region = this.#region;
    const { f, runtime } = region;
    const { at, retired } = this.#operation;
    const helper = runtime.helpers.get(name);
    if (!helper) throw new Error(`no helper ${name}`);
    this.#values(args);
    if (isArithmetic(name)) {
      f.call(helper);
      return unlikely(exceptionPending, [this.#fault])(f);
    }
    region.spill()(f);
    f.call(helper);
    unlikely(exceptionPending, [region.leaveStored(OUTCOME.fault, at, retired)])(f);
    region.reload(ALL_REGISTERS)(f);
    region.pages.forgetAll();
    region.unblocked = 0;
    region.narrow = 0;
  }

  #load(size: Size | 16, address: Value, forWrite: boolean): void {
    const { f } = this.#region;
    let host: Local | undefined;
    if (forWrite && size !== 16) {
      host = f.borrow("i32");
      this.#hosts = new Map(this.#hosts).set(address.id, { local: host, size });
    }
    writeLoad(this.#region, size, this.#place(address), forWrite, host, this.#fault);
  }

  /** Places in branches are not looked up for those behind them. */
  #place(address: Value): Place {
    return { linear: this.#code(address), address: this.#branches === 0 ? this.#addressOf(address) : undefined };
  }

  /** Undefined unless the value is that of a register and a constant. */
  #addressOf(value: Value): Address | undefined {
    const { node } = value;
    const known = this.#addresses[value.id];
    if (known) return known;
    if (node.op === "readRegister" && node.file === "general" && this.#isWholeAddress(node.size)) {
      const register = this.#constants.register(node.selector);
      const holdsAddress = register < 0x80 || register === PSEUDO_REGISTERS.ADDRESS;
      return holdsAddress ? this.#region.pages.valueOf(register >> 3) : undefined;
    }
    if (node.op !== "pure" || !ADDRESS_ARITHMETIC.has(node.name)) return undefined;
    const [x, y] = node.args as readonly [Value, Value];
    const constant = this.#constants.valueOf(y);
    if (node.name === "i64.and")
      return this.#region.isFlat && constant === SIZE_MASKS[4] ? this.#addressOf(x) : undefined;
    if (node.name === "i64.or") return this.#constants.valueOf(x) === 0n ? this.#addressOf(y) : undefined;
    if (constant !== undefined) return this.#moved(x, node.name === "i64.add" ? constant : -BigInt(constant));
    const first = node.name === "i64.add" ? this.#constants.valueOf(x) : undefined;
    return first === undefined ? undefined : this.#moved(y, first);
  }

  /** In 32-bit code linear addresses have 32 bits, whatever they are computed with: differences count modulo 4 GiB. */
  #isWholeAddress(size: Size | 16): boolean {
    return size === 8 || (size === 4 && this.#region.isFlat);
  }

  #moved(value: Value, by: Constant): Address | undefined {
    const address = this.#addressOf(value);
    const delta = address && address.delta + Number(BigInt.asIntN(this.#region.isFlat ? 32 : 64, BigInt(by)));
    return address && delta !== undefined && Math.abs(delta) < MAX_DELTA ? { root: address.root, delta } : undefined;
  }

  #pure(value: Value, name: PureOpName, args: readonly Value[], immediate: readonly number[] | undefined): void {
    const { f, runtime } = this.#region;
    const [x, y, z] = args as readonly [Value, Value, Value];
    const float = bitsOf(value);
    if (float) return this.#vectors.float(float.type, float.bits);
    if (name === "i64.add" || name === "i64.or" || name === "i64.sub" || name === "i64.shl") {
      if (this.#constants.valueOf(y) === 0n) return this.#value(x);
      if ((name === "i64.add" || name === "i64.or") && this.#constants.valueOf(x) === 0n) return this.#value(y);
    }
    if (name === "i32.wrap_i64") return this.#narrow.lowHalf(x);
    const bits = name === "i64.and" ? maskedBits(this.#constants.valueOf(y)) : undefined;
    if (bits !== undefined) return this.#narrow.masked(x, bits);
    if (name === "i8x16.swizzle" && this.#vectors.shuffle(x, this.#constants.valueOf(y))) return;
    switch (name) {
      case "v128.select":
        return choose("v128", this.#code(z), this.#code(x), this.#code(y))(f);
      case "i32.select":
      case "i64.select":
      case "f32.select":
      case "f64.select":
        this.#values(args);
        return f.emit("select");
      default:
        this.#values(args);
        if (isRoutine(name)) f.call(runtime.routines[name]);
        else if (immediate) f.lanes(name, immediate);
        else f.emit(name);
    }
  }
}
