// Entry of the VM process with the embedded engine; main forks it (main/supervisor).
import "./v8-flags.ts";
import { keepCompiled } from "./compile-cache.ts";

// Static imports would all be compiled before the two above take effect.
const [{ DEFAULT_JIT_OPTIONS }, { coreProcessor }, { EmbeddedEngine }, { interpreterModule }, { runVmProcess }] =
  await Promise.all([
    import("../cpu/jit/jit.ts"),
    import("../machine/processor.ts"),
    import("./embedded-engine.ts"),
    import("./interpreter-module.ts"),
    import("./run-vm-process.ts"),
  ]);
runVmProcess(
  new EmbeddedEngine(
    coreProcessor(await interpreterModule(), { ...DEFAULT_JIT_OPTIONS, now: () => performance.now() }),
  ),
);
keepCompiled();
