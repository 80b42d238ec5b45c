// What machines of other products and of the exchange format OVF have in common: as much of a machine as they all can say.
import { AppError } from "../../../native-core/common/errors.ts";
import type { DiskConfig, MachineConfig } from "../../../native-core/config/machine-config.ts";

export interface ApplianceDisk {
  /** File beside the description, as that names it. */
  readonly file: string;
  readonly bus: Extract<DiskConfig["bus"], "ide" | "sata">;
}

export interface Appliance {
  readonly name: string;
  readonly description: string;
  readonly osType: MachineConfig["osType"];
  readonly memoryMiB: number;
  readonly cpuCount: number;
  readonly firmware: MachineConfig["boot"]["firmware"];
  readonly disks: readonly ApplianceDisk[];
  /** Models of its network adapters, in order. */
  readonly adapters: readonly ("virtio" | "e1000")[];
  readonly hasOpticalDrive: boolean;
}

/** The description says what makes no sense, or not what is needed. */
export function badAppliance(file: string, problem: string): AppError {
  return new AppError("INVALID_FILE", `${file} ${problem}`, {
    ...{ file, field: "file", consequence: "Nothing was imported." },
    remedy: "Export the machine again with the product it comes from, or import its disks on their own.",
  });
}

/** Linux by any of the names that products have for its distributions. */
export function osTypeOf(name: string): MachineConfig["osType"] {
  return /linux|ubuntu|debian|fedora|red ?hat|rhel|centos|suse|sles|gentoo|arch|alpine|oracle|rocky|alma/i.test(name)
    ? "linux"
    : "other";
}

export function adapterModelOf(name: string): "virtio" | "e1000" {
  return /virtio/i.test(name) ? "virtio" : "e1000";
}
