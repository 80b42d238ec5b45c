// What loads and stores of regions call when the bytes are not where they look first: functions of the regions' own module, which are nearer
// than those of the interpreter's (mmu/access.ts) and do for all sites what each would have to do: the count of instructions goes to
// memory, and whether something came of it is in the result.
import type { Size } from "../../ir/nodes.ts";
import { call, get, i32, or32 } from "../../wasm/code.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, Local } from "../../wasm/types.ts";
import { STATE } from "../../x86/state-layout.ts";
import type { AccessFunctions } from "../mmu/access.ts";
import { exceptionPending, readCell, writeSlot } from "../mmu/cells.ts";
import { CELLS } from "../mmu/memory-layout.ts";

export type ImportedAccess = Omit<AccessFunctions, "load" | "store">;

export class SlowPaths {
  readonly #module: ModuleWriter;
  readonly #access: ImportedAccess;
  /** Those that the module has, by name. */
  readonly #functions = new Map<string, FunctionReference>();

  constructor(module: ModuleWriter, access: ImportedAccess) {
    this.#module = module;
    this.#access = access;
  }

  /** (linear: i64, count: i64) -> value (i64, zero-extended, or v128), i32: not zero if an exception is pending. */
  load(size: Size | 16, forWrite: boolean): FunctionReference {
    return this.#function(`load ${size}${forWrite ? " for write" : ""}`, (name) => {
      const { load16, loadNear, loadForWrite } = this.#access;
      const reference = this.#module.declare(name, ["i64", "i64"], [size === 16 ? "v128" : "i64", "i32"]);
      const f = this.#module.define(reference);
      const [linear, count] = f.params as [Local, Local];
      writeSlot(STATE.instructionCount, get(count))(f);
      if (size === 16) call(load16, get(linear), i32(0))(f);
      else if (forWrite) call(loadForWrite, get(linear), i32(size), i32(0))(f);
      else call(loadNear, get(linear), i32(size))(f);
      exceptionPending(f);
      return reference;
    });
  }

  /** (linear: i64, value: i64 or v128, count: i64) -> i32: not zero if an exception is pending, or code or translations are void. */
  store(size: Size | 16): FunctionReference {
    return this.#function(`store ${size}`, (name) => {
      const { store16, storeNear } = this.#access;
      const reference = this.#module.declare(name, ["i64", size === 16 ? "v128" : "i64", "i64"], ["i32"]);
      const f = this.#module.define(reference);
      const [linear, value, count] = f.params as [Local, Local, Local];
      writeSlot(STATE.instructionCount, get(count))(f);
      call(size === 16 ? store16 : storeNear, get(linear), get(value), size === 16 ? i32(0) : i32(size))(f);
      or32(exceptionPending, readCell(CELLS.codeVoided))(f);
      return reference;
    });
  }

  #function(name: string, define: (name: string) => FunctionReference): FunctionReference {
    const known = this.#functions.get(name);
    if (known) return known;
    const made = define(name);
    this.#functions.set(name, made);
    return made;
  }
}
