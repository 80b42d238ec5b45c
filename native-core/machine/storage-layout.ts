// Where disks and drives sit on the board, and the names by which firmware knows those places.
import type { MachineConfig } from "../config/machine-config.ts";
import { ISA_BRIDGE_SLOT } from "../devices/chipset/chipset.ts";
import { IDE_FUNCTION } from "../devices/ide/ide-controller.ts";
import { FIRST_DISK_SLOT, type IdePart } from "./cards.ts";

type IdePosition = IdePart["position"];

/** IDE disks share the primary channel, drives for discs the secondary one: adding either never moves the other. */
export const IDE_DISK_POSITIONS: readonly IdePosition[] = [0, 1];
export const IDE_DRIVE_POSITIONS: readonly IdePosition[] = [2, 3];

type Storage = Pick<MachineConfig, "disks" | "opticalDrives" | "boot">;

/** Open Firmware paths (SeaBIOS docs, Runtime config, "bootorder"; OVMF reads the same): first choice first, everything bootable in it. */
export function bootPaths(config: Storage): string[] {
  const disks = config.disks.filter(({ bus }) => bus !== "nvram");
  const ideDisks = disks.filter(({ bus }) => bus === "ide");
  const paths: Record<MachineConfig["boot"]["order"][number], string[]> = {
    disk: disks.map((disk) =>
      disk.bus === "ide"
        ? idePath(IDE_DISK_POSITIONS[ideDisks.indexOf(disk)] ?? 0)
        : `/pci@i0cf8/scsi@${(FIRST_DISK_SLOT + disks.filter(({ bus }) => bus !== "ide").indexOf(disk)).toString(16)}/disk@0,0`,
    ),
    cdrom: config.opticalDrives.map((_, index) => idePath(IDE_DRIVE_POSITIONS[index] ?? 2)),
  };
  return [...new Set([...config.boot.order, ...(Object.keys(paths) as (keyof typeof paths)[])])].flatMap(
    (kind) => paths[kind],
  );
}

function idePath(position: IdePosition): string {
  const channel = position >> 1;
  return `/pci@i0cf8/ide@${ISA_BRIDGE_SLOT.toString(16)},${IDE_FUNCTION}/drive@${channel}/disk@${position & 1}`;
}
