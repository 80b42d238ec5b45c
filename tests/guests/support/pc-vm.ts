// A VM process that boots disks and discs through SeaBIOS or UEFI, with the settings a new machine gets: the product without its manager.
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Resources } from "../../../main/services/host/resources.ts";
import { firmwareOf } from "../../../main/services/machines/start-firmware.ts";
import { defaultMachineConfig, type MachineConfig } from "../../../native-core/config/machine-config.ts";
import type { StartRequest } from "../../../native-core/protocol/engine.ts";
import { fetchFirmware } from "../../../scripts/setup/firmware.ts";
import { StarterVm } from "../../support/vm/starter-vm.ts";

export interface PcVmOptions {
  /** Exists and is empty. */
  readonly folder: string;
  readonly config?: Omit<Partial<MachineConfig>, "boot">;
  /** The settings' order where it is left out. */
  readonly bootOrder?: MachineConfig["boot"]["order"];
  readonly disks?: StartRequest["disks"];
  /** An ISO image. */
  readonly disc?: string;
  /** Instead of SeaBIOS; with new variables. */
  readonly uefi?: boolean;
}

/** Starts it; it has a console on its first serial port. */
export async function startPcVm({
  folder,
  config: changes = {},
  bootOrder,
  disks = [],
  disc,
  uefi = false,
}: PcVmOptions): Promise<StarterVm> {
  const firmware = await fetchFirmware();
  const boot = { firmware: uefi ? "uefi" : "bios", ...(bootOrder && { order: bootOrder }) } as const;
  const config = { ...defaultMachineConfig("test", boot), memoryMiB: 1024, ...changes };
  for (const name of ["chunks", "logs"]) mkdirSync(join(folder, name));
  const nvram = join(folder, "nvram.img");
  if (uefi) copyFileSync(join(firmware, "OVMF_VARS.fd"), nvram);
  return StarterVm.start({
    machineId: "0123456789ab",
    config,
    ...{ folder, chunkFolder: join(folder, "chunks"), logFolder: join(folder, "logs") },
    ...{ kernelFile: null, initrdFile: null, restoreFrom: null, startPaused: false },
    ...(await firmwareOf(new Resources(), config)),
    disks: [
      ...disks,
      ...(uefi ? [{ id: "nvram", file: nvram, format: "raw", readOnly: false, bus: "nvram" } as const] : []),
    ],
    ...(disc !== undefined && { opticalDrives: [{ id: "cd0", file: disc }] }),
    dataSocket: join(folder, "data.sock"),
  });
}
