// Writes a cpio archive in the "newc" format that Linux unpacks as an initramfs (kernel: Documentation/driver-api/early-userspace).
// Device nodes are entries like any other here, so no root is needed to make them.

export interface CpioEntry {
  /** Path inside the archive, without a leading slash. */
  readonly path: string;
  /** File type and permissions, as st_mode: S_IFREG 0o100000, S_IFDIR 0o040000, S_IFLNK 0o120000, S_IFCHR 0o020000. */
  readonly mode: number;
  /** File content, or the target of a symbolic link. */
  readonly data?: Uint8Array;
  /** Major and minor number of a device node. */
  readonly device?: readonly [number, number];
}

export const directory = (path: string): CpioEntry => ({ path, mode: 0o040755 });
export const file = (path: string, data: Uint8Array, executable = false): CpioEntry => ({
  path,
  mode: executable ? 0o100755 : 0o100644,
  data,
});
export const characterDevice = (path: string, major: number, minor: number): CpioEntry => ({
  path,
  mode: 0o020600,
  device: [major, minor],
});

/** The whole archive. Inode numbers count up and times are zero, so that equal input gives equal bytes. */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  entries.forEach((entry, i) => {
    parts.push(...record(entry, i + 1));
  });
  parts.push(...record({ path: "TRAILER!!!", mode: 0 }, 0));
  return Buffer.concat(parts);
}

function record(entry: CpioEntry, inode: number): Uint8Array[] {
  const name = Buffer.from(`${entry.path}\0`, "utf8");
  const data = entry.data ?? new Uint8Array();
  const fields = [
    inode,
    entry.mode,
    0, // uid
    0, // gid
    1, // links
    0, // mtime
    data.length,
    0, // device major
    0, // device minor
    entry.device?.[0] ?? 0,
    entry.device?.[1] ?? 0,
    name.length,
    0, // checksum, only in "crc" archives
  ];
  const header = Buffer.from(`070701${fields.map((n) => n.toString(16).padStart(8, "0")).join("")}`, "latin1");
  return [header, name, padding(header.length + name.length), data, padding(data.length)];
}

/** Names and data are padded to multiples of four bytes. */
function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
