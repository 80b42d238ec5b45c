// Terrarium's own emulator core. It runs on every host.
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "../../native-core/common/errors.ts";
import { MEMORY_MAX_MIB, MEMORY_MIN_MIB } from "../../native-core/config/machine-config.ts";
import { StateSeal } from "../../native-core/host/crypt/sealed.ts";
import { PACKS_FOLDER, packName } from "../../native-core/host/state/format.ts";
import { readState } from "../../native-core/host/state/state-folder.ts";
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
    checkState,
  };
}

/** Everything but the contents of the pages, whose sums are checked when they are read. */
async function checkState(folder: string, machineKey?: Uint8Array): Promise<void> {
  const { map } = await readState(folder, machineKey && new StateSeal(machineKey));
  for (const id of map.packs) {
    const file = path.join(folder, PACKS_FOLDER, packName(id));
    if (!existsSync(file)) throw new AppError("NOT_FOUND", `A part of the saved memory is missing: ${file}`, { file });
  }
}
