// What a Linux guest calls the disks of a machine.
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";

/** Virtio disks are vda, vdb, ..., SCSI, SATA, IDE and USB ones sda, sdb, ..., NVMe ones nvme0n1, nvme0n2, ... */
export function guestDevices(disks: MachineConfig["disks"]): string[] {
  const counts = { vd: 0, sd: 0, nvme: 0 };
  return disks.map(({ bus }) => {
    if (bus === "nvram") return "UEFI";
    if (bus === "nvme") return `nvme0n${++counts.nvme}`;
    const kind = bus === undefined || bus === "virtio" ? "vd" : "sd";
    return `${kind}${String.fromCharCode(97 + counts[kind]++)}`;
  });
}
