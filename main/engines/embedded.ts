// Terrarium's own emulator core. It runs on every host.
import { fileURLToPath } from "node:url";
import { MEMORY_MAX_MIB, MEMORY_MIN_MIB } from "../../native-core/config/machine-config.ts";
import type { EngineDefinition } from "./engine.ts";

export function embeddedEngine(): EngineDefinition {
  return {
    id: "embedded",
    label: "Terrarium core",
    module: fileURLToPath(new URL("../../native-core/host/vm-process.ts", import.meta.url)),
    capabilities: {
      engine: "embedded",
      liveSnapshots: true,
      saveState: true,
      acpiShutdown: true,
      screenshots: true,
      maxCpus: 1,
      memoryMinMiB: MEMORY_MIN_MIB,
      memoryMaxMiB: MEMORY_MAX_MIB,
    },
  };
}
