// Makes machines of what other products export or keep: OVA archives, OVF descriptors, and the folders of VirtualBox and VMware. Their
// disks are converted into the new machine's folder; what is imported stays as it is.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { AppError } from "../../../native-core/common/errors.ts";
import {
  CPUS_MAX,
  type DiskConfig,
  defaultMachineConfig,
  MEMORY_MAX_MIB,
  MEMORY_MIN_MIB,
} from "../../../native-core/config/machine-config.ts";
import { defaultAdapter } from "../../../native-core/config/network-settings.ts";
import { withIoFailures } from "../../store/io-error.ts";
import { inScratch } from "../../store/scratch.ts";
import type { ServiceContext } from "../context.ts";
import { makeDisk, makeMachine, validConfig } from "../machines/creation.ts";
import type { Machine } from "../machines/machine.ts";
import { withNewAddresses } from "../network/adapters.ts";
import { type Appliance, badAppliance } from "./appliance.ts";
import { unpackOva } from "./ova.ts";
import { readOvf } from "./ovf-reader.ts";
import { readVbox } from "./vbox-reader.ts";
import { readVmx } from "./vmx-reader.ts";

const READERS: Readonly<Record<string, (text: string, file: string) => Appliance>> = {
  ".ovf": readOvf,
  ".vbox": readVbox,
  ".vmx": readVmx,
};
const DESCRIPTION_MAX_BYTES = 4 << 20;
const IDE_DISKS_MAX = 2;
const DETAILS = { field: "file", consequence: "Nothing was imported." };
/** Any address: an imported machine gets one of its own. */
const SOME_MAC = "52:54:00:00:00:00";

/** The description to import: `file` itself, or the only one in a folder. Null: this is no appliance. @throws AppError NOT_FOUND, ... */
export async function applianceAt(file: string): Promise<string | null> {
  const isFolder = await withIoFailures(file, DETAILS, async () => (await stat(file)).isDirectory());
  if (!isFolder) return extensionOf(file) in READERS || extensionOf(file) === ".ova" ? file : null;
  const found = (await readdir(file)).filter((name) => extensionOf(name) in READERS);
  const [only] = found;
  if (only !== undefined && found.length === 1) return path.join(file, only);
  const problem = found.length === 0 ? "has no machine of a product that is known" : `has ${found.length} machines`;
  throw new AppError("INVALID_FILE", `${file} ${problem}`, {
    ...{ file, ...DETAILS },
    remedy: "Choose the file with the machine's settings: .ova, .ovf, .vbox or .vmx.",
  });
}

const extensionOf = (file: string): string => path.extname(file).toLowerCase();

/** A new machine of what `applianceAt` found. @throws AppError INVALID_FILE, NOT_FOUND, ...; nothing is left behind then */
export async function importAppliance(
  context: ServiceContext,
  file: string,
  name: string | undefined,
): Promise<Machine> {
  if (extensionOf(file) !== ".ova") return importDescription(context, file, name);
  return inScratch(context.store.data.run, async (scratch) => {
    const title = `Unpacking ${path.basename(file)}`;
    const descriptor = await context.tasks.run({ title, machineId: null, cancellable: true }, (task) =>
      unpackOva(file, scratch, task),
    );
    return importDescription(context, path.join(scratch, descriptor), name);
  });
}

async function importDescription(context: ServiceContext, file: string, name: string | undefined): Promise<Machine> {
  const read = READERS[extensionOf(file)];
  if (!read) throw badAppliance(file, "has no descriptor");
  const appliance = read(await readText(file), file);
  const disks = await Promise.all(appliance.disks.map((disk) => besideDescription(file, disk.file)));
  await checkManifest(file, disks);
  const adapters = appliance.adapters.map((model, index) => ({ ...defaultAdapter(`nic${index}`, SOME_MAC), model }));
  const config = validConfig({
    ...defaultMachineConfig(name ?? context.registry.freeName(nameOf(appliance)), { firmware: appliance.firmware }),
    description: appliance.description,
    osType: appliance.osType,
    memoryMiB: within(appliance.memoryMiB, MEMORY_MIN_MIB, MEMORY_MAX_MIB),
    cpuCount: within(appliance.cpuCount, 1, CPUS_MAX),
    adapters: withNewAddresses(adapters),
    opticalDrives: appliance.hasOpticalDrive ? [{ id: "cd0", file: null }] : [],
  });
  return makeMachine(context, config, async (paths) => {
    const made: DiskConfig[] = [];
    for (const [index, disk] of disks.entries()) {
      const isForeign = (await context.images.foreignFormat(disk)) !== null;
      const wanted = isForeign ? { file: disk } : { copyOf: disk };
      const image = await makeDisk(context, paths, wanted, `disk${index}`, "file");
      const isIde =
        appliance.disks[index]?.bus === "ide" && made.filter(({ bus }) => bus === "ide").length < IDE_DISKS_MAX;
      made.push({ ...image, bus: isIde ? "ide" : "sata" });
    }
    return { disks: made };
  });
}

/** Characters that our names have no place for become spaces. */
const nameOf = ({ name }: Appliance): string =>
  name
    .replace(/[/\\\p{Cc}]/gu, " ")
    .trim()
    .slice(0, 100) || "Imported";

/** What is nowhere near sense becomes the least. */
const within = (value: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, Number.isFinite(value) ? Math.round(value) : least));

async function readText(file: string): Promise<string> {
  return withIoFailures(file, DETAILS, async () => {
    if ((await stat(file)).size > DESCRIPTION_MAX_BYTES) throw badAppliance(file, "is larger than any description");
    return readFile(file, "utf8");
  });
}

/** Descriptions come from strangers: a disk lies in the folder of its description or below, whatever the description says. */
async function besideDescription(description: string, name: string): Promise<string> {
  const folder = await realpath(path.dirname(description));
  const file = path.resolve(folder, name.replaceAll("\\", "/"));
  const missing = (problem: string) =>
    new AppError("NOT_FOUND", `${problem}: ${name}`, {
      ...{ file, ...DETAILS },
      remedy: `Put the disk where ${path.basename(description)} lies, or import the disk on its own.`,
    });
  const found = await realpath(file).catch(() => null);
  if (found === null) throw missing("A disk of the machine is missing");
  if (!found.startsWith(folder + path.sep)) throw missing("A disk of the machine lies elsewhere");
  return found;
}

/** NAME.mf beside NAME.ovf holds sums of the files: lines of `SHA256(name)= hex`. */
async function checkManifest(descriptor: string, disks: readonly string[]): Promise<void> {
  if (extensionOf(descriptor) !== ".ovf") return;
  const manifest = descriptor.replace(/\.ovf$/i, ".mf");
  const text = await readFile(manifest, "utf8").catch(() => null);
  if (text === null) return;
  for (const file of [descriptor, ...disks]) {
    const line = [...text.matchAll(/^(SHA1|SHA256|SHA512)\s*\((.+)\)\s*=\s*([0-9a-f]+)\s*$/gim)].find(
      ([, , name]) => name === path.basename(file),
    );
    const [, algorithm = "", , sum = ""] = line ?? [];
    if (line && (await sumOf(file, algorithm)) !== sum.toLowerCase()) throw damaged(file, manifest);
  }
}

async function sumOf(file: string, algorithm: string): Promise<string> {
  const hash = createHash(algorithm.toLowerCase());
  await withIoFailures(file, DETAILS, () => pipeline(createReadStream(file), hash));
  return hash.digest("hex");
}

function damaged(file: string, manifest: string): AppError {
  return new AppError(
    "INVALID_FILE",
    `${path.basename(file)} is not what ${path.basename(manifest)} says: it was changed or cut off`,
    {
      ...{ file, ...DETAILS },
      remedy: "Copy or download it again.",
    },
  );
}
