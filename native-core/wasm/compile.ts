// Compiling, for boxes whose typings don't know WebAssembly.

/** Synchronous; throws for bytes that are not a valid module. */
export function compileModule(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  return new WebAssembly.Module(bytes);
}
