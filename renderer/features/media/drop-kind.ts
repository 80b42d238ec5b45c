// What a dropped file is taken for, by its name: what is inside is looked at when it is used.

export type DroppedKind = "machine" | "disk" | "disc";

const MACHINE = /\.(ova|ovf|vbox|vmx|terrarium)$/i;
/** What people call disk images; everything else is taken for a disc. */
const DISK_IMAGE = /\.(qcow2|img|raw|vdi|vmdk|vhdx?)$/i;

/** A folder may hold a machine: of OVF, VirtualBox or VMware. */
export function dropKind(name: string, isFolder: boolean): DroppedKind {
  if (isFolder || MACHINE.test(name)) return "machine";
  return DISK_IMAGE.test(name) ? "disk" : "disc";
}

/** A machine's name for a disk image. */
export const imageName = (file: string): string => file.split(/[\\/]/).at(-1)?.replace(DISK_IMAGE, "") || "Disk";
