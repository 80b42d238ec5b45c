// The releases of Debian whose installers are booted: its packages for netboot, kernel and initial RAM disk in them.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Architecture, DebianSuite } from "./debian-suite.ts";

export type Frontend = "text" | "gtk";

/** The last release with an installer for the architecture: there is none for i386 after 12. */
const RELEASES = {
  amd64: { version: 13, codename: "trixie" },
  i386: { version: 12, codename: "bookworm" },
} as const;

export interface InstallerRelease {
  readonly suite: DebianSuite;
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array;
  /** What `uname -r` says in it. */
  readonly kernelVersion: string;
}

export async function installerRelease(architecture: Architecture, frontend: Frontend): Promise<InstallerRelease> {
  const { version, codename } = RELEASES[architecture];
  const suite = await DebianSuite.open(codename, architecture);
  const folder = join(
    await suite.unpacked(`debian-installer-${version}-netboot-${architecture}`),
    `usr/lib/debian-installer/images/${version}/${architecture}/${frontend}/debian-installer/${architecture}`,
  );
  const kernel = new Uint8Array(await readFile(join(folder, "linux")));
  const initrd = new Uint8Array(await readFile(join(folder, "initrd.gz")));
  return { suite, kernel, initrd, kernelVersion: versionOf(kernel) };
}

/** Linux x86 boot protocol: the word at 0x20e points to the version, less 0x200. */
function versionOf(kernel: Uint8Array): string {
  const at = new DataView(kernel.buffer, kernel.byteOffset).getUint16(0x20e, true) + 0x200;
  return (
    Buffer.from(kernel.subarray(at, at + 128))
      .toString("latin1")
      .split(/[ \0]/, 1)[0] ?? ""
  );
}
