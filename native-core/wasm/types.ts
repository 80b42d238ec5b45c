// Types of the WebAssembly binary format.

export type WasmType = "i32" | "i64" | "f32" | "f64" | "v128" | "funcref";

export const TYPE_CODES: Readonly<Record<WasmType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
  funcref: 0x70,
};

export interface FunctionType {
  readonly params: readonly WasmType[];
  readonly results: readonly WasmType[];
}

/** Limits in pages of 64 KiB (memories) or elements (tables). */
export interface Limits {
  readonly minimum: number;
  readonly maximum?: number;
}

/** A function of the module, by its index. */
export interface FunctionReference {
  readonly index: number;
  readonly name: string;
  readonly type: FunctionType;
}

/** A local variable or parameter of the function being written. */
export interface Local {
  readonly index: number;
  readonly type: WasmType;
}

/** The target of branches: an open block, loop or if. */
export interface Label {
  readonly depth: number;
}
