// Terrarium's own emulator core. It runs on every host.
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "../../native-core/common/errors.ts";
import { MEMORY_MAX_MIB, MEMORY_MIN_MIB } from "../../native-core/config/machine-config.ts";
import { StateSeal } from "../../native-core/host/crypt/sealed.ts";
import { PACKS_FOLDER, packName } from "../../native-core/host/state/format.ts";
import { readState } from "../../native-core/host/state/state-folder.ts";
import { isUpToDate } from "../../native-core/host/up-to-date.ts";
import type { EngineDefinition } from "./engine.ts";

export function embeddedEngine(): EngineDefinition {
  return {
    id: "embedded",
    label: "Terrarium core",
    module: vmProcess(),
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

/** As the build packs it, which starts sooner and takes less memory; from sources, where these have changed since. */
function vmProcess(): string {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const built = path("../../out/vm/vm-process.js");
  const sources = import.meta.url.endsWith(".ts") ? [path("../../native-core")] : [];
  return isUpToDate(built, sources) ? built : path("../../native-core/host/vm-process.ts");
}

/** Everything but the contents of the pages, whose sums are checked when they are read. */
async function checkState(folder: string, machineKey?: Uint8Array): Promise<void> {
  const { map } = await readState(folder, machineKey && new StateSeal(machineKey));
  for (const id of map.packs) {
    const file = path.join(folder, PACKS_FOLDER, packName(id));
    if (!existsSync(file)) throw new AppError("NOT_FOUND", `A part of the saved memory is missing: ${file}`, { file });
  }
}
