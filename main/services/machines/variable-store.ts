// The image in which a machine with UEFI keeps its variables: a small disk that goes with snapshots, clones and restores like the others.
import { existsSync } from "node:fs";
import path from "node:path";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import type { ServiceContext } from "../context.ts";
import { newId } from "../ids.ts";
import type { Machine } from "./machine.ts";

const ID = "nvram";

/** True for a machine that boots through UEFI. */
export function usesUefi(config: MachineConfig): boolean {
  return config.boot.kernel === null && config.boot.firmware === "uefi";
}

/** Makes empty variables for a machine that starts with UEFI for the first time. @throws AppError when UEFI is not here. */
export async function ensureVariables(context: ServiceContext, machine: Machine): Promise<void> {
  const { config, savedState } = machine.record;
  if (savedState !== null || !usesUefi(config) || config.disks.some(({ bus }) => bus === "nvram")) return;
  const { variablesFile } = await context.resources.uefi();
  const name = existsSync(path.join(machine.paths.disks, `${ID}.qcow2`)) ? `${ID}-${newId()}` : ID;
  const file = `disks/${name}.qcow2`;
  await context.images.flatten({ file: variablesFile, format: "raw" }, path.join(machine.paths.folder, file), {});
  const disk = { id: ID, file, format: "qcow2", readOnly: false, bus: "nvram" } as const;
  await machine.update(({ config: current }) => ({ config: { ...current, disks: [...current.disks, disk] } }));
}
