// Compiled code of the program's own modules, kept between starts: it halves the time until a host or a command is ready.
// VM processes do the same for themselves (native-core/host/compile-cache.ts). Where the folder can't be written Node goes without.
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

/** Call it before the modules that matter are imported, so dynamically. */
export function useCompileCache(): void {
  enableCompileCache(fileURLToPath(new URL("../out/cache/compile", import.meta.url)));
}
