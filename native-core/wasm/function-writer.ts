// Writes one function body: instructions are recorded first, then encoded (module-writer.ts) or printed (printer.ts).
import { assert } from "../common/assert.ts";
import { ByteWriter } from "./byte-writer.ts";
import { OPCODES, type OpcodeName, splitOpcode } from "./opcodes.ts";
import {
  type FunctionReference,
  type FunctionType,
  type Label,
  type Local,
  TYPE_CODES,
  type WasmType,
} from "./types.ts";

/** What follows an opcode, already in the form it is encoded in. */
export type Immediate =
  | { readonly kind: "none" }
  | { readonly kind: "index"; readonly values: readonly number[] }
  | { readonly kind: "signed"; readonly value: bigint }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "blockType"; readonly type: WasmType | undefined }
  | { readonly kind: "memory"; readonly alignment: number; readonly memory: number; readonly offset: number }
  | { readonly kind: "table"; readonly targets: readonly number[] };

export interface Instruction {
  readonly name: OpcodeName;
  readonly immediate: Immediate;
  /** Branch hint (custom section metadata.code.branch_hint). */
  readonly likely?: boolean;
}

const NONE: Immediate = { kind: "none" };

export interface BranchHint {
  readonly offset: number;
  readonly likely: boolean;
}

export class FunctionWriter {
  readonly name: string;
  readonly type: FunctionType;
  readonly params: readonly Local[];
  readonly #locals: Local[] = [];
  readonly #instructions: Instruction[] = [];
  readonly #free = new Map<WasmType, Local[]>();
  #depth = 0;

  constructor(name: string, type: FunctionType) {
    this.name = name;
    this.type = type;
    this.params = type.params.map((param, index) => ({ index, type: param }));
  }

  get instructions(): readonly Instruction[] {
    return this.#instructions;
  }

  get locals(): readonly Local[] {
    return this.#locals;
  }

  // --- locals ----------------------------------------------------------------------------------------------------------

  local(type: WasmType): Local {
    const local = { index: this.params.length + this.#locals.length, type };
    this.#locals.push(local);
    return local;
  }

  /** A local from the pool of its type; give it back with `release`. */
  borrow(type: WasmType): Local {
    return this.#free.get(type)?.pop() ?? this.local(type);
  }

  release(local: Local): void {
    const pool = this.#free.get(local.type);
    assert(!pool?.includes(local), "a local is released once");
    if (pool) pool.push(local);
    else this.#free.set(local.type, [local]);
  }

  // --- instructions ------------------------------------------------------------------------------------------------------

  emit(name: OpcodeName, immediate: Immediate = NONE, likely?: boolean): void {
    this.#instructions.push(likely === undefined ? { name, immediate } : { name, immediate, likely });
  }

  index(name: OpcodeName, ...values: number[]): void {
    this.emit(name, { kind: "index", values });
  }

  get(local: Local): void {
    this.index("local.get", local.index);
  }

  set(local: Local): void {
    this.index("local.set", local.index);
  }

  tee(local: Local): void {
    this.index("local.tee", local.index);
  }

  i32(value: number): void {
    this.emit("i32.const", { kind: "signed", value: BigInt(value | 0) });
  }

  i64(value: bigint): void {
    this.emit("i64.const", { kind: "signed", value: BigInt.asIntN(64, value) });
  }

  f32(value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.emit("f32.const", { kind: "bytes", bytes });
  }

  f64(value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.emit("f64.const", { kind: "bytes", bytes });
  }

  /** Lane 0 lowest. */
  v128(value: bigint): void {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt.asUintN(64, value), true);
    view.setBigUint64(8, BigInt.asUintN(64, value >> 64n), true);
    this.emit("v128.const", { kind: "bytes", bytes });
  }

  /** A load or store. No alignment is promised: emulated accesses have none, and engines ignore it on the hosts that matter. */
  access(name: OpcodeName, memory: number, offset: number): void {
    this.emit(name, { kind: "memory", alignment: 0, memory, offset });
  }

  lanes(name: OpcodeName, lanes: readonly number[]): void {
    this.emit(name, { kind: "bytes", bytes: Uint8Array.from(lanes) });
  }

  call(callee: FunctionReference): void {
    this.index("call", callee.index);
  }

  callIndirect(typeIndex: number, table: number): void {
    this.index("call_indirect", typeIndex, table);
  }

  // --- structured control --------------------------------------------------------------------------------------------------

  open(name: "block" | "loop" | "if", type?: WasmType, likely?: boolean): Label {
    this.emit(name, { kind: "blockType", type }, likely);
    return { depth: ++this.#depth };
  }

  otherwise(): void {
    this.emit("else");
  }

  close(label: Label): void {
    assert(label.depth === this.#depth, `${this.name}: blocks close in the order they were opened`);
    this.#depth--;
    this.emit("end");
  }

  br(label: Label): void {
    this.index("br", this.#relative(label));
  }

  brIf(label: Label, likely?: boolean): void {
    this.emit("br_if", { kind: "index", values: [this.#relative(label)] }, likely);
  }

  /** The last target is the default. */
  brTable(targets: readonly Label[]): void {
    this.emit("br_table", { kind: "table", targets: targets.map((label) => this.#relative(label)) });
  }

  #relative(label: Label): number {
    assert(label.depth <= this.#depth, `${this.name}: a branch goes to an open block`);
    return this.#depth - label.depth;
  }

  // --- encoding --------------------------------------------------------------------------------------------------------------

  /** The body with its locals, without its size; and where the hinted branches are. */
  encode(): { body: ByteWriter; hints: BranchHint[] } {
    assert(this.#depth === 0, `${this.name}: all blocks are closed`);
    const body = new ByteWriter();
    const groups: { type: WasmType; count: number }[] = [];
    for (const { type } of this.#locals) {
      const last = groups.at(-1);
      if (last?.type === type) last.count++;
      else groups.push({ type, count: 1 });
    }
    body.unsigned(groups.length);
    for (const { type, count } of groups) body.unsigned(count).byte(TYPE_CODES[type]);
    const hints: BranchHint[] = [];
    for (const { name, immediate, likely } of this.#instructions) {
      if (likely !== undefined) hints.push({ offset: body.length, likely });
      const { prefix, opcode } = splitOpcode(OPCODES[name]);
      if (prefix === undefined) body.byte(opcode);
      else body.byte(prefix).unsigned(opcode);
      encodeImmediate(body, immediate);
    }
    body.byte(OPCODES.end);
    return { body, hints };
  }
}

function encodeImmediate(body: ByteWriter, immediate: Immediate): void {
  switch (immediate.kind) {
    case "none":
      return;
    case "index":
      for (const value of immediate.values) body.unsigned(value);
      return;
    case "signed":
      body.signed(immediate.value);
      return;
    case "bytes":
      body.bytes(immediate.bytes);
      return;
    case "blockType":
      body.byte(immediate.type ? TYPE_CODES[immediate.type] : 0x40);
      return;
    case "memory":
      // Bit 6 of the alignment says that a memory index follows (multi-memory).
      if (immediate.memory === 0) body.unsigned(immediate.alignment);
      else body.unsigned(immediate.alignment | 0x40).unsigned(immediate.memory);
      body.unsigned(immediate.offset);
      return;
    case "table":
      body.unsigned(immediate.targets.length - 1);
      for (const target of immediate.targets) body.unsigned(target);
  }
}
