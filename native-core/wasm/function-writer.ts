// Writes one function body straight into bytes. A recording writer also keeps its instructions, to be printed (printer.ts).
import { assert } from "../common/assert.ts";
import { ByteWriter } from "./byte-writer.ts";
import { OPCODES, type OpcodeName } from "./opcodes.ts";
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

const CODES: ReadonlyMap<string, number> = new Map(Object.entries(OPCODES));

/** Most functions are compiled regions: some thousand bytes. */
const BODY_BYTES = 8192;

export class FunctionWriter {
  readonly name: string;
  readonly type: FunctionType;
  readonly params: readonly Local[];
  readonly #locals: Local[] = [];
  readonly #body = new ByteWriter(BODY_BYTES);
  /** Offsets are those in #body. */
  readonly #hints: BranchHint[] = [];
  readonly #recorded: Instruction[] | undefined;
  readonly #free = new Map<WasmType, Local[]>();
  #count = 0;
  #depth = 0;

  constructor(name: string, type: FunctionType, recording = false) {
    this.name = name;
    this.type = type;
    this.params = type.params.map((param, index) => ({ index, type: param }));
    this.#recorded = recording ? [] : undefined;
  }

  /** Number of instructions written. */
  get count(): number {
    return this.#count;
  }

  /** What a recording writer has written. */
  get instructions(): readonly Instruction[] {
    assert(this.#recorded, `${this.name} is recorded`);
    return this.#recorded;
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
    if (pool?.includes(local)) throw new Error("a local is released once");
    if (pool) pool.push(local);
    else this.#free.set(local.type, [local]);
  }

  // --- instructions ------------------------------------------------------------------------------------------------------

  /** An instruction without immediates. */
  emit(name: OpcodeName, likely?: boolean): void {
    this.#begin(name, likely);
    this.#recorded?.push(hinted({ name, immediate: NONE }, likely));
  }

  /** The opcode; the caller writes what follows it. */
  #begin(name: OpcodeName, likely?: boolean): ByteWriter {
    if (likely !== undefined) this.#hints.push({ offset: this.#body.length, likely });
    const code = CODES.get(name) as number;
    if (code <= 0xff) return this.#beginWith(code);
    return this.#beginWith(code >>> 16).unsigned(code & 0xffff);
  }

  /** The same with an opcode of one byte: the frequent ones are not looked up. */
  #beginWith(code: number): ByteWriter {
    this.#count++;
    return this.#body.byte(code);
  }

  index(name: OpcodeName, first: number, second?: number): void {
    const body = this.#begin(name).unsigned(first);
    if (second !== undefined) body.unsigned(second);
    this.#recorded?.push({ name, immediate: indices(first, second) });
  }

  get(local: Local): void {
    this.#withIndex("local.get", OPCODES["local.get"], local.index);
  }

  set(local: Local): void {
    this.#withIndex("local.set", OPCODES["local.set"], local.index);
  }

  tee(local: Local): void {
    this.#withIndex("local.tee", OPCODES["local.tee"], local.index);
  }

  #withIndex(name: OpcodeName, code: number, index: number): void {
    this.#beginWith(code).unsigned(index);
    this.#recorded?.push({ name, immediate: indices(index) });
  }

  i32(value: number): void {
    this.#beginWith(OPCODES["i32.const"]).signed32(value | 0);
    this.#recorded?.push({ name: "i32.const", immediate: { kind: "signed", value: BigInt(value | 0) } });
  }

  /** A number has to be an integer that is exact as one. */
  i64(value: bigint | number): void {
    this.#beginWith(OPCODES["i64.const"]).signed(value);
    this.#recorded?.push({
      name: "i64.const",
      immediate: { kind: "signed", value: BigInt.asIntN(64, BigInt(value)) },
    });
  }

  f32(value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#bytes("f32.const", bytes);
  }

  f64(value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.#bytes("f64.const", bytes);
  }

  /** Lane 0 lowest. */
  v128(value: bigint): void {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt.asUintN(64, value), true);
    view.setBigUint64(8, BigInt.asUintN(64, value >> 64n), true);
    this.#bytes("v128.const", bytes);
  }

  #bytes(name: OpcodeName, bytes: Uint8Array): void {
    this.#begin(name).bytes(bytes);
    this.#recorded?.push({ name, immediate: { kind: "bytes", bytes } });
  }

  /** A load or store. No alignment is promised: emulated accesses have none, and engines ignore it on the hosts that matter. */
  access(name: OpcodeName, memory: number, offset: number): void {
    const body = this.#begin(name);
    // Bit 6 of the alignment says that a memory index follows (multi-memory).
    if (memory === 0) body.byte(0);
    else body.byte(0x40).unsigned(memory);
    body.unsigned(offset);
    this.#recorded?.push({ name, immediate: { kind: "memory", alignment: 0, memory, offset } });
  }

  lanes(name: OpcodeName, lanes: readonly number[]): void {
    this.#bytes(name, Uint8Array.from(lanes));
  }

  call(callee: FunctionReference): void {
    this.#withIndex("call", OPCODES.call, callee.index);
  }

  callIndirect(typeIndex: number, table: number): void {
    this.index("call_indirect", typeIndex, table);
  }

  // --- structured control --------------------------------------------------------------------------------------------------

  open(name: "block" | "loop" | "if", type?: WasmType, likely?: boolean): Label {
    this.#begin(name, likely).byte(type ? TYPE_CODES[type] : 0x40);
    this.#recorded?.push(hinted({ name, immediate: { kind: "blockType", type } }, likely));
    return { depth: ++this.#depth };
  }

  otherwise(): void {
    this.emit("else");
  }

  close(label: Label): void {
    if (label.depth !== this.#depth) throw new Error(`${this.name}: blocks close in the order they were opened`);
    this.#depth--;
    this.#beginWith(OPCODES.end);
    this.#recorded?.push({ name: "end", immediate: NONE });
  }

  br(label: Label): void {
    this.#withIndex("br", OPCODES.br, this.#relative(label));
  }

  brIf(label: Label, likely?: boolean): void {
    const depth = this.#relative(label);
    this.#begin("br_if", likely).unsigned(depth);
    this.#recorded?.push(hinted({ name: "br_if", immediate: indices(depth) }, likely));
  }

  /** The last target is the default. */
  brTable(targets: readonly Label[]): void {
    const depths = targets.map((label) => this.#relative(label));
    const body = this.#begin("br_table").unsigned(depths.length - 1);
    for (const depth of depths) body.unsigned(depth);
    this.#recorded?.push({ name: "br_table", immediate: { kind: "table", targets: depths } });
  }

  #relative(label: Label): number {
    if (label.depth > this.#depth) throw new Error(`${this.name}: a branch goes to an open block`);
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
    const start = body.length;
    body.append(this.#body).byte(OPCODES.end);
    return { body, hints: this.#hints.map(({ offset, likely }) => ({ offset: offset + start, likely })) };
  }
}

const indices = (first: number, second?: number): Immediate => ({
  kind: "index",
  values: second === undefined ? [first] : [first, second],
});

const hinted = (instruction: Instruction, likely: boolean | undefined): Instruction =>
  likely === undefined ? instruction : { ...instruction, likely };
