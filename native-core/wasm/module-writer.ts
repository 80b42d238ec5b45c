// Writes a WebAssembly module: types, imports, functions, memories, tables, globals, exports, elements, data, names.
// Functions are declared before their bodies are written, so that they can call each other.
import { assert } from "../common/assert.ts";
import { ByteWriter } from "./byte-writer.ts";
import { FunctionWriter } from "./function-writer.ts";
import { OPCODES } from "./opcodes.ts";
import { type FunctionReference, type FunctionType, type Limits, TYPE_CODES, type WasmType } from "./types.ts";

const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  element: 9,
  code: 10,
  data: 11,
} as const;

const EXTERNAL = { function: 0, table: 1, memory: 2, global: 3 } as const;

interface GlobalDeclaration {
  readonly type: WasmType;
  readonly mutable: boolean;
  readonly initial: bigint;
}

export class ModuleWriter {
  readonly #types: FunctionType[] = [];
  readonly #typeIndex = new Map<string, number>();
  readonly #imports: ((out: ByteWriter) => void)[] = [];
  readonly #importedFunctions: FunctionReference[] = [];
  readonly #functions: { reference: FunctionReference; writer?: FunctionWriter }[] = [];
  readonly #memories: Limits[] = [];
  readonly #tables: Limits[] = [];
  readonly #globals: GlobalDeclaration[] = [];
  readonly #exports: { name: string; kind: number; index: number }[] = [];
  readonly #elements: { table: number; offset: number; functions: readonly FunctionReference[] }[] = [];
  readonly #data: { memory: number; offset: number; bytes: Uint8Array }[] = [];
  #importedMemories = 0;
  #importedTables = 0;
  #importedGlobals = 0;

  // --- imports (before anything of the same kind is declared) -----------------------------------------------------------

  importFunction(module: string, name: string, params: readonly WasmType[], results: readonly WasmType[] = []) {
    assert(this.#functions.length === 0, "imports come before functions");
    const type: FunctionType = { params, results };
    const typeIndex = this.typeIndex(type);
    const reference: FunctionReference = { index: this.#importedFunctions.length, name, type };
    this.#importedFunctions.push(reference);
    this.#import(module, name, (out) => out.byte(EXTERNAL.function).unsigned(typeIndex));
    return reference;
  }

  importMemory(module: string, name: string, limits: Limits): number {
    this.#import(module, name, (out) => writeLimits(out.byte(EXTERNAL.memory), limits));
    return this.#importedMemories++;
  }

  importTable(module: string, name: string, limits: Limits): number {
    this.#import(module, name, (out) => writeLimits(out.byte(EXTERNAL.table).byte(TYPE_CODES.funcref), limits));
    return this.#importedTables++;
  }

  importGlobal(module: string, name: string, type: WasmType, mutable = false): number {
    this.#import(module, name, (out) =>
      out
        .byte(EXTERNAL.global)
        .byte(TYPE_CODES[type])
        .byte(mutable ? 1 : 0),
    );
    return this.#importedGlobals++;
  }

  #import(module: string, name: string, describe: (out: ByteWriter) => void): void {
    this.#imports.push((out) => describe(out.name(module).name(name)));
  }

  // --- definitions ----------------------------------------------------------------------------------------------------------

  /** Index of a function type, for call_indirect. */
  typeIndex(type: FunctionType): number {
    const key = `${type.params.join()}:${type.results.join()}`;
    const known = this.#typeIndex.get(key);
    if (known !== undefined) return known;
    this.#typeIndex.set(key, this.#types.length);
    return this.#types.push(type) - 1;
  }

  declare(name: string, params: readonly WasmType[], results: readonly WasmType[] = []): FunctionReference {
    const type: FunctionType = { params, results };
    this.typeIndex(type);
    const reference = { index: this.#importedFunctions.length + this.#functions.length, name, type };
    this.#functions.push({ reference });
    return reference;
  }

  /** The writer of a declared function's body. */
  define(reference: FunctionReference): FunctionWriter {
    const entry = this.#functions[reference.index - this.#importedFunctions.length];
    assert(entry?.reference === reference && !entry.writer, `${reference.name} is declared here and defined once`);
    entry.writer = new FunctionWriter(reference.name, reference.type);
    return entry.writer;
  }

  memory(limits: Limits): number {
    return this.#importedMemories + this.#memories.push(limits) - 1;
  }

  table(limits: Limits): number {
    return this.#importedTables + this.#tables.push(limits) - 1;
  }

  global(type: "i32" | "i64", initial: bigint, mutable = true): number {
    return this.#importedGlobals + this.#globals.push({ type, mutable, initial }) - 1;
  }

  export(name: string, reference: FunctionReference): void {
    this.#exports.push({ name, kind: EXTERNAL.function, index: reference.index });
  }

  exportMemory(name: string, index: number): void {
    this.#exports.push({ name, kind: EXTERNAL.memory, index });
  }

  exportTable(name: string, index: number): void {
    this.#exports.push({ name, kind: EXTERNAL.table, index });
  }

  exportGlobal(name: string, index: number): void {
    this.#exports.push({ name, kind: EXTERNAL.global, index });
  }

  elements(table: number, offset: number, functions: readonly FunctionReference[]): void {
    this.#elements.push({ table, offset, functions });
  }

  data(memory: number, offset: number, bytes: Uint8Array): void {
    this.#data.push({ memory, offset, bytes });
  }

  // --- output ----------------------------------------------------------------------------------------------------------------

  /** `names`: with a name section, for profilers and debuggers. */
  finish({ names = true }: { names?: boolean } = {}): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter();
    out.bytes(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));
    const list = <T>(id: number, items: readonly T[], write: (content: ByteWriter, item: T) => void) => {
      if (items.length > 0) out.section(id, vector(items, write));
    };
    list(SECTION.type, this.#types, (content, type) => {
      content.byte(0x60);
      for (const side of [type.params, type.results]) {
        content.unsigned(side.length);
        for (const item of side) content.byte(TYPE_CODES[item]);
      }
    });
    list(SECTION.import, this.#imports, (content, write) => write(content));
    list(SECTION.function, this.#functions, (content, f) => content.unsigned(this.typeIndex(f.reference.type)));
    list(SECTION.table, this.#tables, (content, limits) => writeLimits(content.byte(TYPE_CODES.funcref), limits));
    list(SECTION.memory, this.#memories, writeLimits);
    list(SECTION.global, this.#globals, (content, { type, mutable, initial }) => {
      content.byte(TYPE_CODES[type]).byte(mutable ? 1 : 0);
      content
        .byte(OPCODES[`${type as "i32" | "i64"}.const`])
        .signed(initial)
        .byte(OPCODES.end);
    });
    list(SECTION.export, this.#exports, (content, { name, kind, index }) =>
      content.name(name).byte(kind).unsigned(index),
    );
    list(SECTION.element, this.#elements, writeElements);
    this.#writeCode(out);
    list(SECTION.data, this.#data, (content, { memory, offset, bytes }) => {
      if (memory === 0) content.byte(0);
      else content.byte(2).unsigned(memory);
      content.byte(OPCODES["i32.const"]).signed(BigInt(offset)).byte(OPCODES.end);
      content.unsigned(bytes.length).bytes(bytes);
    });
    if (names) this.#writeNames(out);
    return out.finish();
  }

  #writeCode(out: ByteWriter): void {
    const hinted: { index: number; hints: readonly { offset: number; likely: boolean }[] }[] = [];
    const code = vector(this.#functions, (content, { reference, writer }) => {
      assert(writer, `${reference.name} has a body`);
      const { body, hints } = writer.encode();
      if (hints.length > 0) hinted.push({ index: reference.index, hints });
      content.sized(body);
    });
    if (hinted.length > 0) {
      const section = new ByteWriter().name("metadata.code.branch_hint");
      const functions = vector(hinted, (content, { index, hints }) => {
        content.unsigned(index).unsigned(hints.length);
        for (const { offset, likely } of hints)
          content
            .unsigned(offset)
            .byte(1)
            .byte(likely ? 1 : 0);
      });
      out.section(SECTION.custom, section.bytes(functions.finish()));
    }
    if (this.#functions.length > 0) out.section(SECTION.code, code);
  }

  #writeNames(out: ByteWriter): void {
    const functions = [...this.#importedFunctions, ...this.#functions.map((f) => f.reference)];
    const map = vector(functions, (content, { index, name }) => content.unsigned(index).name(name));
    out.section(SECTION.custom, new ByteWriter().name("name").section(1, map));
  }
}

function vector<T>(items: readonly T[], write: (content: ByteWriter, item: T) => void): ByteWriter {
  const content = new ByteWriter().unsigned(items.length);
  for (const item of items) write(content, item);
  return content;
}

function writeLimits(out: ByteWriter, { minimum, maximum }: Limits): void {
  out.byte(maximum === undefined ? 0 : 1).unsigned(minimum);
  if (maximum !== undefined) out.unsigned(maximum);
}

function writeElements(
  content: ByteWriter,
  { table, offset, functions }: { table: number; offset: number; functions: readonly FunctionReference[] },
): void {
  if (table === 0) content.byte(0);
  else content.byte(2).unsigned(table);
  content.byte(OPCODES["i32.const"]).signed(BigInt(offset)).byte(OPCODES.end);
  if (table !== 0) content.byte(0); // element kind: funcref
  content.unsigned(functions.length);
  for (const { index } of functions) content.unsigned(index);
}
