// Names of files that a machine is exported to.

/** A machine's name as a file system takes it everywhere. */
export function fileNameOf(machine: string): string {
  return machine.replace(/[<>:"/\\|?*\p{Cc}]/gu, "_").replace(/[. ]+$/, "") || "machine";
}

/** `name.extension`, or with a number when a folder has that already; `there` are the names in it. */
export function freeFileName(name: string, extension: string, there: readonly string[]): string {
  const taken = new Set(there.map((each) => each.toLowerCase()));
  let file = `${name}.${extension}`;
  for (let number = 2; taken.has(file.toLowerCase()); number++) file = `${name} ${number}.${extension}`;
  return file;
}

/** With the separator that the folder has; a path as the name stays what it is. */
export function fileIn(folder: string, name: string): string {
  if (/^(?:[\\/]|[A-Za-z]:)/.test(name)) return name;
  const separator = folder.includes("\\") && !folder.includes("/") ? "\\" : "/";
  return folder.endsWith(separator) ? folder + name : folder + separator + name;
}
