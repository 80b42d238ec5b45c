// Entry of the VM process with the embedded engine; main forks it (main/supervisor).
import "./v8-flags.ts";
import { keepCompiled } from "./compile-cache.ts";
import { mainPort } from "./main-port.ts";

const starting = (phase: "loading" | "compiling") => void mainPort().send({ kind: "starting", phase });
starting("loading");

// Static imports would all be compiled before the two above take effect.
const [
  { BOOT_THRESHOLD, DEFAULT_JIT_OPTIONS },
  { coreProcessor },
  { EmbeddedEngine },
  { interpreterModule },
  { rehearse },
  { runVmProcess },
] = await Promise.all([
  import("../cpu/jit/jit.ts"),
  import("../machine/processor.ts"),
  import("./embedded-engine.ts"),
  import("./interpreter-module.ts"),
  import("./rehearsal.ts"),
  import("./run-vm-process.ts"),
]);

starting("compiling");

/** A machine that is started at once is started by then. */
const WAITING_MS = 200;

const core = await interpreterModule();
const jit = { ...DEFAULT_JIT_OPTIONS, now: () => performance.now() };
const engine = new EmbeddedEngine(coreProcessor(core, { ...jit, bootThreshold: BOOT_THRESHOLD }));
runVmProcess(engine);
// Its guest has no user code, and is there to have regions made.
setTimeout(() => void rehearse(coreProcessor(core, jit), () => !engine.started), WAITING_MS);
keepCompiled();
