// What compiled regions share with the interpreter's module: its slow paths, its arithmetic, and the table of regions.
import { PURE_OPS, ROUTINE_NAMES, type RoutineName } from "../../ir/ops.ts";
import type { ModuleWriter } from "../../wasm/module-writer.ts";
import type { FunctionReference, WasmType } from "../../wasm/types.ts";
import type { Runtime } from "../interpreter/target.ts";
import { importMemories } from "../mmu/imports.ts";
import type { Routines } from "../routines/routines.ts";
import { defineFlagFunctions } from "./flag-forms.ts";
import { defineCallSystem, defineFollow } from "./follow.ts";
import type { JitRuntime } from "./region-writer.ts";
import { SlowPaths } from "./slow-paths.ts";

/** Regions that can be alive at once. */
export const MAX_REGIONS = 65536;
export const REGION_TABLE = "regions";
/**
 * A region takes the number of regions that wait for it and the RIP that the innermost of them waits for (NO_RETURN if there is none),
 * and returns an outcome (outcome.ts).
 */
export const REGION_TYPE = { params: ["i32", "i64"], results: ["i32"] } as const;

const ACCESS = {
  loadForWrite: ["i64", "i32", "i32", "->i64"],
  load16: ["i64", "i32", "->v128"],
  store16: ["i64", "v128", "i32"],
  loadNear: ["i64", "i32", "->i64"],
  storeNear: ["i64", "i64", "i32"],
  translate: ["i64", "i32", "i32", "->i32"],
} as const;

const ARITHMETIC = {
  composeFlags: ["->i64"],
  writeArithmeticFlags: ["i64"],
  settleFlags: [],
  patchFlags: ["i32", "i64"],
  follow: ["i32", "i32", "i64", "->i32"],
  callSystem: ["i32", "i64", "->i32"],
} as const;

export interface RegionExports {
  /** Index of the table of regions. */
  readonly table: number;
  readonly settleFlags: FunctionReference;
}

const exportName = (name: string): string => `jit.${name}`;

/** In the interpreter's module: declares what only regions use, exports all; yields what the dispatcher needs. `area`: the global with the address of the privilege area in use. */
export function exportForRegions(
  module: ModuleWriter,
  runtime: Runtime,
  area: number,
  noteTarget: FunctionReference,
): RegionExports {
  const flags = defineFlagFunctions(module);
  const table = module.table({ minimum: MAX_REGIONS, maximum: MAX_REGIONS });
  const follow = defineFollow(module, table, module.typeIndex(REGION_TYPE), area, noteTarget);
  const functions = { ...runtime, ...flags, follow, callSystem: defineCallSystem(module, follow, area) };
  for (const name of Object.keys(ACCESS) as (keyof typeof ACCESS)[])
    module.export(exportName(name), runtime.access[name]);
  for (const name of Object.keys(ARITHMETIC) as (keyof typeof ARITHMETIC)[])
    module.export(exportName(name), functions[name]);
  for (const name of ROUTINE_NAMES) module.export(exportName(name), runtime.routines[name]);
  module.exportTable(REGION_TABLE, table);
  return { table, settleFlags: flags.settleFlags };
}

function importRoutines(module: ModuleWriter): Routines {
  return Object.fromEntries(
    ROUTINE_NAMES.map((name) => {
      const { params, result } = PURE_OPS[name];
      return [name, module.importFunction("interpreter", exportName(name), params, [result])];
    }),
  ) as Record<RoutineName, FunctionReference>;
}

/** In a module of regions: `helpers` are those it calls, with the number of their operands. Table 0 is that of regions. */
export function importForRegions(module: ModuleWriter, helpers: ReadonlyMap<string, number>): JitRuntime {
  importMemories(module);
  const imported = <K extends string>(functions: Record<K, readonly string[]>): Record<K, FunctionReference> =>
    Object.fromEntries(
      (Object.entries(functions) as [K, readonly string[]][]).map(([name, signature]) => {
        const params = signature.filter((type) => !type.startsWith("->")) as WasmType[];
        const results = signature.flatMap((type) => (type.startsWith("->") ? [type.slice(2) as WasmType] : []));
        return [name, module.importFunction("interpreter", exportName(name), params, results)];
      }),
    ) as Record<K, FunctionReference>;
  const access = imported(ACCESS);
  const runtime: JitRuntime = {
    access,
    slow: new SlowPaths(module, access),
    ...imported(ARITHMETIC),
    routines: importRoutines(module),
    regionType: module.typeIndex(REGION_TYPE),
    helpers: new Map(
      [...helpers].map(([name, count]) => [
        name,
        module.importFunction("helpers", name, new Array<WasmType>(count).fill("i64"), ["i64"]),
      ]),
    ),
  };
  module.importTable("interpreter", REGION_TABLE, { minimum: MAX_REGIONS, maximum: MAX_REGIONS });
  return runtime;
}
