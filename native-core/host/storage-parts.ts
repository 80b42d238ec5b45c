// The disks and discs of a start request as parts of the machine: which controller each hangs on.
import type { CardParts, IdePart } from "../machine/cards.ts";
import { IDE_DISK_POSITIONS, IDE_DRIVE_POSITIONS } from "../machine/storage-layout.ts";
import type { StartRequest } from "../protocol/engine.ts";
import type { DiskSet } from "./disk-set.ts";
import type { OpticalDrives } from "./optical-drives.ts";
import { VariableStore } from "./variable-store.ts";

type ReportError = (message: string) => void;

export function storageParts(
  request: StartRequest,
  { disks }: DiskSet,
  { drives, floppy }: OpticalDrives,
  report: ReportError,
): Pick<CardParts, "disks" | "ide" | "scsi" | "sata" | "nvme" | "usb" | "floppy"> {
  const busOf = (id: string) => request.disks.find((disk) => disk.id === id)?.bus ?? "virtio";
  const isIde = (id: string): boolean => busOf(id) === "ide";
  const parts = disks
    .filter(({ id }) => busOf(id) !== "nvram")
    .map((disk) => ({
      id: disk.id,
      slot: request.disks.find(({ id }) => id === disk.id)?.slot,
      backend: disk,
      onError: (kind: string, error: unknown) => report(`disk ${disk.id}: ${kind} failed: ${messageOf(error)}`),
    }));
  const discs = drives.map(({ id, cdRom }, number) => ({
    ...{ id, cdRom, number, bus: request.opticalDrives?.find((drive) => drive.id === id)?.bus },
    onError: (kind: string, error: unknown) => report(`drive ${id}: ${kind} failed: ${messageOf(error)}`),
  }));
  const ide: IdePart[] = [
    ...parts
      .filter(({ id }) => isIde(id))
      .slice(0, IDE_DISK_POSITIONS.length)
      .map(({ id, backend, onError }, index) => ({
        ...{ id, disk: backend, onError },
        position: IDE_DISK_POSITIONS[index] ?? 0,
      })),
    ...discs
      .filter(({ bus }) => bus !== "scsi")
      .map(({ id, cdRom, number, onError }) => ({
        ...{ id, cdRom, onError },
        position: IDE_DRIVE_POSITIONS[number] ?? 2,
      })),
  ];
  const scsi = {
    disks: parts.filter(({ id }) => busOf(id) === "scsi"),
    drives: discs.filter(({ bus }) => bus === "scsi"),
  };
  const sata = parts.filter(({ id }) => busOf(id) === "sata");
  const nvme = parts.filter(({ id }) => busOf(id) === "nvme");
  const usb = parts.filter(({ id }) => busOf(id) === "usb");
  return {
    disks: parts.filter(({ id }) => busOf(id) === "virtio"),
    ...(ide.length > 0 && { ide }),
    ...(scsi.disks.length + scsi.drives.length > 0 && { scsi }),
    ...(sata.length > 0 && { sata }),
    ...(nvme.length > 0 && { nvme }),
    ...(floppy && {
      floppy: {
        ...{ id: "floppy0", backend: floppy },
        onError: (kind: string, error: unknown) => report(`floppy disk: ${kind} failed: ${messageOf(error)}`),
      },
    }),
    // A stick needs something to be plugged into.
    ...((request.config.usb.controller !== "none" || usb.length > 0) && { usb: { disks: usb } }),
  };
}

/** UEFI's variables; undefined for a machine without. */
export async function variableStore(
  request: StartRequest,
  { disks }: DiskSet,
  report: ReportError,
): Promise<VariableStore | undefined> {
  if (request.firmware?.kind !== "uefi") return undefined;
  const id = request.disks.find(({ bus }) => bus === "nvram")?.id;
  const disk = disks.find((each) => each.id === id);
  return disk && VariableStore.open(disk, (error) => report(`UEFI variables: write failed: ${messageOf(error)}`));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
