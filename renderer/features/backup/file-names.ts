// Names of files that a machine is exported to.

/** A machine's name as a file system takes it everywhere. */
export function fileNameOf(machine: string): string {
  return machine.replace(/[<>:"/\\|?*\p{Cc}]/gu, "_").replace(/[. ]+$/, "") || "machine";
}

/** With the separator that the folder has; a path as the name stays what it is. */
export function fileIn(folder: string, name: string): string {
  if (/^(?:[\\/]|[A-Za-z]:)/.test(name)) return name;
  const separator = folder.includes("\\") && !folder.includes("/") ? "\\" : "/";
  return folder.endsWith(separator) ? folder + name : folder + separator + name;
}
