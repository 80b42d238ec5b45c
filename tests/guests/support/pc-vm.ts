// A VM process that boots disks and discs through SeaBIOS or UEFI, with the settings a new machine gets: the product without its manager.
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { defaultMachineConfig, type MachineConfig } from "../../../native-core/config/machine-config.ts";
import type { StartRequest } from "../../../native-core/protocol/engine.ts";
import { fetchFirmware } from "../../../scripts/setup/firmware.ts";
import { StarterVm } from "../../support/vm/starter-vm.ts";

export interface PcVmOptions {
  /** Exists and is empty. */
  readonly folder: string;
  readonly config?: Partial<MachineConfig>;
  readonly disks?: StartRequest["disks"];
  /** An ISO image. */
  readonly disc?: string;
  /** Instead of SeaBIOS; with new variables. */
  readonly uefi?: boolean;
}

/** Starts it; it has a console on its first serial port. */
export async function startPcVm({
  folder,
  config = {},
  disks = [],
  disc,
  uefi = false,
}: PcVmOptions): Promise<StarterVm> {
  const firmware = await fetchFirmware();
  for (const name of ["chunks", "logs"]) mkdirSync(join(folder, name));
  const image = (name: string) => join(firmware, name);
  const nvram = join(folder, "nvram.img");
  if (uefi) copyFileSync(image("OVMF_VARS.fd"), nvram);
  return StarterVm.start({
    machineId: "0123456789ab",
    config: { ...defaultMachineConfig("test"), memoryMiB: 1024, ...config },
    ...{ folder, chunkFolder: join(folder, "chunks"), logFolder: join(folder, "logs") },
    ...{ kernelFile: null, initrdFile: null, restoreFrom: null, startPaused: false },
    firmware: uefi
      ? { kind: "uefi", codeFile: image("OVMF_CODE.fd") }
      : { kind: "bios", biosFile: image("bios-256k.bin"), videoBiosFile: image("vgabios-stdvga.bin") },
    disks: [
      ...disks,
      ...(uefi ? [{ id: "nvram", file: nvram, format: "raw", readOnly: false, bus: "nvram" } as const] : []),
    ],
    ...(disc !== undefined && { opticalDrives: [{ id: "cd0", file: disc }] }),
    dataSocket: join(folder, "data.sock"),
  });
}
