// Entry of the command line (program.ts).
import { useCompileCache } from "../compile-cache.ts";

useCompileCache();
const { runCommandLine } = await import("./program.ts");
process.exitCode = await runCommandLine();
