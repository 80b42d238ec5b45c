// Entry of the VM process with the embedded engine; main forks it (main/supervisor).
import "./v8-flags.ts";
import { coreProcessor } from "../machine/processor.ts";
import { EmbeddedEngine } from "./embedded-engine.ts";
import { interpreterModule } from "./interpreter-module.ts";
import { runVmProcess } from "./run-vm-process.ts";

runVmProcess(new EmbeddedEngine(coreProcessor(await interpreterModule())));
