// Where disks, drives and adapters sit on the board, and the names by which firmware knows those places.
import type { MachineConfig } from "../config/machine-config.ts";
import { ADAPTER_SLOTS, DISK_SLOTS, slotsOf, targetOf } from "../config/slots.ts";
import { type ChipsetModel, chipsetModel } from "../devices/chipset/models.ts";
import { FIRST_DRIVE_TARGET, type IdePart, NVME_SLOT, SCSI_SLOT, USB_SLOT } from "./cards.ts";
import { FIRST_USB_DISK_PORT } from "./usb-ports.ts";

type IdePosition = IdePart["position"];

/** IDE disks share the primary channel, drives for discs the secondary one: adding either never moves the other. */
export const IDE_DISK_POSITIONS: readonly IdePosition[] = [0, 1];
export const IDE_DRIVE_POSITIONS: readonly IdePosition[] = [2, 3];

type Storage = Pick<MachineConfig, "disks" | "opticalDrives" | "boot" | "chipset" | "floppy" | "adapters">;
/** Tried last where the order leaves them out. */
const ALWAYS = ["disk", "cdrom"] as const;

/** Open Firmware paths (SeaBIOS docs, Runtime config, "bootorder"; OVMF reads the same): first choice first. Disks and
 * drives are all in it; adapters are where the order has the network. */
export function bootPaths(config: Storage): string[] {
  const chipset = chipsetModel(config.chipset);
  const places = { ide: 0, sata: 0, nvme: 0, usb: 0 };
  const slots = new Map(
    (["virtio", "scsi"] as const).flatMap((wanted) => [
      ...slotsOf(
        config.disks.filter(({ bus = "virtio" }) => bus === wanted),
        DISK_SLOTS,
      ),
    ]),
  );
  const pathOf = ({ id, bus = "virtio" }: Storage["disks"][number]): string => {
    if (bus === "virtio" || bus === "nvram") return `/pci@i0cf8/scsi@${(slots.get(id) ?? 0).toString(16)}/disk@0,0`;
    if (bus === "scsi") return scsiPath(targetOf(slots.get(id) ?? 0));
    const place = places[bus]++;
    if (bus === "usb")
      return `/pci@i0cf8/usb@${USB_SLOT.toString(16)}/storage@${FIRST_USB_DISK_PORT + place + 1}/*@0/*@0,0`;
    if (bus === "ide") return idePath(chipset, IDE_DISK_POSITIONS[place] ?? 0);
    if (bus === "sata") return `/pci@i0cf8/pci8086,2922@${placeName(chipset.sata)}/drive@${place}/disk@0`;
    // OVMF knows an NVMe controller by this name only, whatever the controller's own numbers.
    return `/pci@i0cf8/pci8086,5845@${NVME_SLOT}/namespace@${place + 1},0`;
  };
  const paths: Record<MachineConfig["boot"]["order"][number], string[]> = {
    disk: config.disks.filter(({ bus }) => bus !== "nvram").map(pathOf),
    cdrom: config.opticalDrives.map(({ bus }, index) =>
      bus === "scsi" ? scsiPath(FIRST_DRIVE_TARGET + index) : idePath(chipset, IDE_DRIVE_POSITIONS[index] ?? 2),
    ),
    network: [...slotsOf(config.adapters, ADAPTER_SLOTS).values()].map(
      (slot) => `/pci@i0cf8/ethernet@${slot.toString(16)}/ethernet-phy@0`,
    ),
  };
  const floppy = `/pci@i0cf8/isa@${chipset.isaBridgeSlot.toString(16)}/fdc@03f0/floppy@0`;
  const kinds = [...new Set([...config.boot.order, ...ALWAYS])].flatMap((kind) => paths[kind]);
  return config.floppy.file === null ? kinds : [floppy, ...kinds];
}

function scsiPath(target: number): string {
  return `/pci@i0cf8/scsi@${SCSI_SLOT.toString(16)}/channel@0/disk@${target.toString(16)},0`;
}

function idePath({ ide }: ChipsetModel, position: IdePosition): string {
  const channel = position >> 1;
  return `/pci@i0cf8/ide@${placeName(ide)}/drive@${channel}/disk@${position & 1}`;
}

/** Slot and, unless it is 0, function: `1f,2`. */
function placeName({ slot, functionNumber }: ChipsetModel["ide"]): string {
  return functionNumber === 0 ? slot.toString(16) : `${slot.toString(16)},${functionNumber}`;
}
