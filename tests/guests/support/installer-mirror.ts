// What Debian's installer asks its mirror for that a mirror may not have: mirrors exist that carry packages but only some of the installer's
// components. Those with files of their own come from Debian's other packages; the rest is taken from the mirror as it is, and nothing
// else is offered, so that the installer never asks for what is not there.
import { hostMirror } from "./debian-mirror.ts";
import type { DebianSuite } from "./debian-suite.ts";
import { i386Components } from "./installer-i386.ts";
import type { InstallerRelease } from "./installer-release.ts";
import { buildUdeb, hash, type Udeb } from "./udeb.ts";
import { filesOf } from "./unpacked-files.ts";

/** Scripts from partitioning the disk to the base system, and what they run. */
const TAKEN = {
  amd64: [
    ...["disk-detect", "di-utils-mapdevfs", "dmidecode-udeb", "libdevmapper1.02.1-udeb"],
    ...["libparted2-udeb", "libparted-fs-resize0-udeb", "partman-base", "partman-utils", "partman-partitioning"],
    ...["partman-target", "partman-basicfilesystems", "partman-basicmethods", "partman-ext3", "partman-auto"],
    ...["base-installer", "bootstrap-base", "debootstrap-udeb", "clock-setup", "rdate-udeb", "tzsetup-udeb"],
    ...["user-setup-udeb", "apt-setup-udeb", "apt-mirror-setup", "pkgsel", "finish-install"],
    ...["grub-installer", "os-prober-udeb", "grub-mount-udeb", "libfuse3-4-udeb", "fuse3-udeb"],
  ],
  i386: ["debootstrap-udeb", "base-installer"],
} as const;

/** Drivers that the installer's initial RAM disk has not. */
const DRIVERS = ["fs/ext4/ext4", "fs/jbd2/jbd2", "drivers/block/virtio_blk"];
const FILE_SYSTEM_TOOLS = /(^|\/)(mke2fs|e2fsck|tune2fs|badblocks|mkfs\.ext4|fsck\.ext4|mke2fs\.conf)$/;

/** Files by path below the mirror's address: package list and Release file of the installer, and packages made here. */
export async function installerMirror(release: InstallerRelease): Promise<ReadonlyMap<string, Uint8Array>> {
  const { suite } = release;
  const own = [await drivers(release), await fileSystemTools(suite)];
  if (suite.architecture === "i386") own.push(...(await i386Components(suite)));
  const records = own.map(({ record }) => record);
  for (const name of TAKEN[suite.architecture]) records.push(await suite.record(name));
  const packages = Buffer.from(`${records.join("\n\n")}\n`);
  const list = `main/debian-installer/binary-${suite.architecture}/Packages`;
  return new Map<string, Uint8Array>([
    ...own.map(({ path, bytes }) => [path, bytes] as const),
    [`dists/${suite.codename}/${list}`, packages],
    [`dists/${suite.codename}/Release`, await releaseFile(suite, list, packages)],
  ]);
}

/** The mirror's own, with the checksum of our package list for the installer. Its signature is gone, which the installer is told. */
async function releaseFile(suite: DebianSuite, list: string, packages: Uint8Array): Promise<Uint8Array> {
  const answer = await fetch(new URL(`dists/${suite.codename}/Release`, await hostMirror()));
  const lines = (await answer.text()).split("\n").filter((line) => !/\/debian-installer\//.test(line));
  const at = lines.indexOf("SHA256:");
  if (at < 0) throw new Error(`Release of ${suite.codename} has no checksums`);
  lines.splice(at + 1, 0, ` ${hash("sha256", packages)} ${packages.length} ${list}`);
  return Buffer.from(lines.join("\n"));
}

async function drivers({ suite, kernelVersion }: InstallerRelease): Promise<Udeb> {
  const image = await suite.unpacked(`linux-image-${kernelVersion}`);
  const wanted = new RegExp(`/kernel/(${DRIVERS.join("|")})\\.ko`);
  return buildUdeb({
    name: `ext4-modules-${kernelVersion}-di`,
    architecture: suite.architecture,
    fields: { "Kernel-Version": kernelVersion, Provides: "ext2-modules, ext3-modules, ext4-modules" },
    files: await filesOf([image], wanted),
  });
}

async function fileSystemTools(suite: DebianSuite): Promise<Udeb> {
  const libraries = suite.codename === "bookworm" ? ["libext2fs2", "libcom-err2"] : ["libext2fs2t64", "libcom-err2"];
  const folders = await Promise.all(["e2fsprogs", ...libraries].map((name) => suite.unpacked(name)));
  return buildUdeb({
    name: "e2fsprogs-udeb",
    architecture: suite.architecture,
    files: new Map([...(await filesOf(folders, FILE_SYSTEM_TOOLS)), ...(await filesOf(folders, /\.so\.\d+$/))]),
  });
}
