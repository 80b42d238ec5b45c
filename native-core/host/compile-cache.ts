// Keeps what V8 and the type stripper made of the sources, which halves the start of a VM process. To be imported before the rest.
import { enableCompileCache, flushCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

/** Beside the other things the build makes; where that can't be written there is no cache. */
enableCompileCache(fileURLToPath(new URL("../../out/cache/compile", import.meta.url)));

/** Writes the cache once everything is loaded: a VM process is often killed. */
export function keepCompiled(): void {
  setImmediate(flushCompileCache);
}
