// The installer's components for partitioning on i386, where the mirror may have those of amd64 only: scripts are the same on both, the
// few programs are compiled here from Debian's sources against Debian's libraries for i386. Needs gcc.
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DebianSuite } from "./debian-suite.ts";
import { buildUdeb, relabelledUdeb, type Udeb } from "./udeb.ts";
import { filesOf } from "./unpacked-files.ts";

const run = promisify(execFile);

/** Bookworm's compiler, whose library for i386 goes into the programs. */
const GCC_VERSION = "12";

/** The release whose scripts are taken: the first after bookworm. */
const SCRIPTS_CODENAME = "trixie";
const SCRIPTS = [
  ...["disk-detect", "partman-partitioning", "partman-target"],
  ...["partman-basicfilesystems", "partman-basicmethods", "partman-ext3"],
];

interface Program {
  /** Path in the package. */
  readonly path: string;
  readonly source: string;
  readonly libraries: readonly string[];
}

interface Compiled {
  /** Component of the installer. */
  readonly name: string;
  readonly sourcePackage: string;
  readonly programs: readonly Program[];
}

const PARTED = "libparted.so.2";
const COMPILED: readonly Compiled[] = [
  {
    ...{ name: "partman-base", sourcePackage: "partman-base" },
    programs: [
      { path: "bin/parted_server", source: "parted_server.c", libraries: [PARTED, "libparted-fs-resize.so.0"] },
    ],
  },
  {
    ...{ name: "partman-utils", sourcePackage: "partman-base" },
    programs: [
      { path: "bin/parted_devices", source: "parted_devices.c", libraries: [PARTED] },
      { path: "bin/partmap", source: "partmap.c", libraries: [PARTED] },
    ],
  },
  {
    ...{ name: "di-utils-mapdevfs", sourcePackage: "debian-installer-utils" },
    programs: [{ path: "bin/mapdevfs", source: "mapdevfs.c", libraries: ["libdebian-installer.so.4"] }],
  },
];

/** Programs need them where they run, and where they are compiled. */
const LIBRARIES = ["libparted2", "libparted-fs-resize0", "libdevmapper1.02.1"];
const TO_COMPILE = [
  ...["libc6", "libc6-dev", "linux-libc-dev", `libgcc-${GCC_VERSION}-dev`],
  ...["libparted-dev", "libdebian-installer4", "libdebian-installer4-dev"],
];

export async function i386Components(suite: DebianSuite): Promise<Udeb[]> {
  const scripts = await DebianSuite.open(SCRIPTS_CODENAME, "amd64");
  const libraries = await Promise.all(LIBRARIES.map((name) => suite.unpacked(name)));
  const files = await filesOf(libraries, /\.so\.[\d.]+$/);
  const fields = { Provides: "libparted-fs-resize0-udeb, libdevmapper1.02.1-udeb" };
  const made = [await buildUdeb({ name: "libparted2-udeb", architecture: suite.architecture, fields, files })];
  for (const name of SCRIPTS) made.push(await relabelledUdeb(await scripts.archive(name), suite.architecture));

  made.push(await relabelledUdeb(await scripts.archive("partman-auto"), suite.architecture, await recipes(scripts)));

  const system = await mkdtemp(join(tmpdir(), "terrarium-i386-"));
  try {
    for (const name of [...TO_COMPILE, ...LIBRARIES])
      await cp(await suite.unpacked(name), system, { recursive: true, verbatimSymlinks: true });
    for (const { name, sourcePackage, programs } of COMPILED) {
      const source = await scripts.source(sourcePackage);
      const compiled = new Map<string, string>();
      for (const program of programs) compiled.set(program.path, await compile(system, source, program));
      made.push(await relabelledUdeb(await scripts.archive(name), suite.architecture, compiled));
    }
  } finally {
    await rm(system, { recursive: true, force: true });
  }
  return made;
}

/** How to divide a disk is in a folder that is named after the architecture. */
async function recipes(scripts: DebianSuite): Promise<Map<string, string>> {
  const files = await filesOf([await scripts.unpacked("partman-auto")], /\/recipes-amd64\//);
  return new Map([...files].map(([path, file]) => [path.replace("recipes-amd64", "recipes-i386"), file]));
}

/** `system` has headers and libraries of i386 where an installed system has them. */
async function compile(system: string, folder: string, { source, libraries }: Program): Promise<string> {
  const program = join(system, `${source}.out`);
  const searched = [`usr/lib/gcc/i686-linux-gnu/${GCC_VERSION}`, "usr/lib/i386-linux-gnu", "lib/i386-linux-gnu"];
  await run("gcc", [
    ...["-m32", "-march=i686", "-Os", "-s", "-static-libgcc", "-Wl,--allow-shlib-undefined"],
    ...["-D_GNU_SOURCE", '-DPACKAGE_NAME="partman"', '-DVERSION="1"'],
    ...[`--sysroot=${system}`, "-isystem", join(system, "usr/include/i386-linux-gnu")],
    ...searched.flatMap((each) => [`-B${join(system, each)}`, `-L${join(system, each)}`]),
    ...[join(folder, source), "-o", program, ...libraries.map((name) => `-l:${name}`)],
  ]);
  return program;
}
