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

const DISC_IMAGE = /\.iso$/i;

/** Whether files that were dropped on a machine's screen are for its guest, rather than a disc, a disk or a machine for this program. */
export function isForGuest(names: readonly string[]): boolean {
  const [only] = names;
  if (only === undefined || names.length > 1) return only !== undefined;
  return ![MACHINE, DISK_IMAGE, DISC_IMAGE].some((pattern) => pattern.test(only));
}

/** A machine's name for a disk image. */
export const imageName = (file: string): string => file.split(/[\\/]/).at(-1)?.replace(DISK_IMAGE, "") || "Disk";
