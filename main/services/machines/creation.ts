// Making machines. Everything is prepared in a temporary folder that becomes the machine's folder by one rename: until then there is
// no machine, afterwards there is a whole one.
import { existsSync } from "node:fs";
import { constants, copyFile, mkdir, realpath, rm } from "node:fs/promises";
import path from "node:path";
import type { z } from "zod";
import { AppError } from "../../../native-core/common/errors.ts";
import {
  type DISK_BUSES,
  type DiskConfig,
  defaultMachineConfig,
  type MachineConfig,
  machineConfigSchema,
} from "../../../native-core/config/machine-config.ts";
import type { AdapterConfig } from "../../../native-core/config/network-settings.ts";
import type { newDiskSchema } from "../../contract/index.ts";
import type { MachineOrigin } from "../../contract/schemas.ts";
import type { UnattendedAnswers } from "../../contract/unattended.ts";
import { moveIntoPlace, syncFile, syncFolder, temporaryName } from "../../store/atomic-file.ts";
import { crashPoint } from "../../store/crash-points.ts";
import { type MachinePaths, machinePathsIn } from "../../store/data-folder.ts";
import { fileOfError, ioFailure, withIoFailures } from "../../store/io-error.ts";
import { type MachineRecord, RECORD_VERSION } from "../../store/machine-record.ts";
import { writeRecordFile } from "../../store/record-file.ts";
import type { ServiceContext } from "../context.ts";
import { explained } from "../failures.ts";
import { STARTER_PREFIX } from "../host/resources.ts";
import { newId } from "../ids.ts";
import { checkDiscs } from "../media/discs.ts";
import { newAdapters } from "../network/adapters.ts";
import { unattendedKindOf, writeUnattended } from "../unattended/install.ts";
import { checkInitrd, checkKernel, checkNetworkFile } from "./boot-files.ts";
import { Machine, UNCONFIRMED } from "./machine.ts";

export type NewDisk = z.infer<typeof newDiskSchema>;

const MIB = 1024 * 1024;

/**
 * The kernel's self-tests of its cryptography are more than half of a boot's instructions, and Debian ran them before. The watchdog of the
 * time-stamp counter wakes the guest twice a second to look after a clock that nothing can disturb; kvmclock stays the clock.
 */
export const STARTER_COMMAND_LINE = "console=tty1 console=ttyS0 quiet loglevel=3 cryptomgr.notests tsc=nowatchdog";

export interface CustomMachine {
  readonly name: string;
  readonly description: string;
  readonly memoryMiB: number;
  /** Null: it boots from its disks and discs. */
  readonly kernel: string | null;
  readonly initrd: string | null;
  readonly commandLine: string;
  readonly disks: readonly NewDisk[];
  /** A disc for its optical drive. A machine without kernel has a drive in any case. */
  readonly iso?: string | null;
  readonly osType?: MachineConfig["osType"];
  readonly firmware?: MachineConfig["boot"]["firmware"];
  /** Boots from the network, too: a file of the host that its NAT offers, or "" for what others on its network offer. */
  readonly networkBoot?: string | null;
  readonly chipset?: MachineConfig["chipset"];
  /** What its disks hang on. */
  readonly diskBus?: (typeof DISK_BUSES)[number];
  /** Of its network adapter. */
  readonly adapterModel?: AdapterConfig["model"];
  readonly cpuCount?: number;
  /** Installs itself, or starts for the first time, without asking. */
  readonly unattended?: UnattendedAnswers | null;
}

export async function createStarter(
  context: ServiceContext,
  options: {
    readonly name?: string | undefined;
    readonly description?: string | undefined;
    readonly memoryMiB?: number | undefined;
    readonly cpuCount?: number | undefined;
  },
): Promise<Machine> {
  await context.resources.requireStarter();
  const boot = {
    kernel: `${STARTER_PREFIX}vmlinuz`,
    initrd: `${STARTER_PREFIX}initrd.img`,
    commandLine: STARTER_COMMAND_LINE,
  };
  const name = options.name ?? context.registry.freeName("Starter Linux");
  const config = validConfig({
    ...defaultMachineConfig(name, boot),
    adapters: newAdapters(),
    ...(options.memoryMiB !== undefined && { memoryMiB: options.memoryMiB }),
    ...(options.cpuCount !== undefined && { cpuCount: options.cpuCount }),
    ...(options.description !== undefined && { description: options.description }),
  });
  return makeMachine(context, config, async (paths) => {
    const file = path.join(paths.disks, "disk0.qcow2");
    // A reflink where the file system can: then the copy takes no time and no space.
    await copyFile(context.resources.starterFile("disk-template.qcow2"), file, constants.COPYFILE_FICLONE);
    await syncFile(file);
    return { disks: [{ id: "disk0", file: "disks/disk0.qcow2", format: "qcow2", readOnly: false }] };
  });
}

export async function createCustom(context: ServiceContext, options: CustomMachine): Promise<Machine> {
  const { initrd, commandLine, iso = null, osType = "linux", firmware = "bios", unattended: answers } = options;
  const { kernel, chipset = "i440fx", diskBus = "virtio", adapterModel = "virtio", networkBoot = null } = options;
  const offered = networkBoot ? await bootOffer(context, networkBoot) : {};
  const config = validConfig({
    ...defaultMachineConfig(options.name, {
      ...{ kernel, initrd, commandLine, firmware },
      ...(networkBoot !== null && { order: ["disk", "cdrom", "network"] }),
    }),
    adapters: newAdapters().map((adapter) => ({ ...adapter, ...offered, model: adapterModel })),
    chipset,
    opticalDrives: iso !== null || kernel === null ? [{ id: "cd0", file: iso }] : [],
    osType,
    description: options.description,
    memoryMiB: options.memoryMiB,
    ...(options.cpuCount !== undefined && { cpuCount: options.cpuCount }),
  });
  await checkBoot(context, config);
  await checkDiscs(config);
  const hasImage = options.disks.some((disk) => "copyOf" in disk);
  const kind = answers ? await unattendedKindOf(iso, hasImage) : null;
  return makeMachine(context, config, async (paths, final) => {
    const disks: DiskConfig[] = [];
    for (const [index, disk] of options.disks.entries()) {
      const made = await makeDisk(context, paths, disk, `disk${index}`, `disks.${index}`);
      disks.push(diskBus === "virtio" ? made : { ...made, bus: diskBus });
    }
    if (!answers || kind === null) return { disks };
    const wanted = { answers, kind, iso, firmware, commandLine };
    return { disks, config: await writeUnattended(paths.folder, final.folder, config, wanted) };
  });
}

async function bootOffer(context: ServiceContext, reference: string): Promise<Partial<AdapterConfig>> {
  const file = context.resources.resolve(reference, "networkBoot");
  await checkNetworkFile(file);
  return { bootFolder: path.dirname(file), bootFile: path.basename(file) };
}

/** The boot files of a configuration: there, readable and of the right kind. */
export async function checkBoot(context: ServiceContext, config: MachineConfig): Promise<void> {
  if (config.boot.kernel === null) return;
  await checkKernel(context.resources.resolve(config.boot.kernel, "boot.kernel"));
  if (config.boot.initrd !== null) await checkInitrd(context.resources.resolve(config.boot.initrd, "boot.initrd"));
}

/** Makes a new image in the machine's folder, or takes an existing one where it is. */
export async function makeDisk(
  context: ServiceContext,
  paths: MachinePaths,
  disk: NewDisk,
  id: string,
  field: string,
): Promise<DiskConfig> {
  if ("copyOf" in disk) return copyImage(context, paths, disk, id, field);
  if ("sizeMiB" in disk) {
    // A disk that was taken out of the machine may have left its file under that name.
    const isTaken = existsSync(path.join(paths.disks, `${id}.qcow2`));
    const file = `disks/${id}${isTaken ? `-${newId()}` : ""}.qcow2`;
    await context.images.create(path.join(paths.folder, file), disk.sizeMiB * MIB);
    return { id, file, format: "qcow2", readOnly: false };
  }
  const converted = await convertForeign(context, paths, disk.file, id, field);
  if (converted) return converted;
  const format = await existingImage(context, disk.file, field);
  return { id, file: path.normalize(disk.file), format, readOnly: false };
}

/** A copy of an image that stays as it is, larger where `sizeMiB` says so. */
async function copyImage(
  { images, tasks }: ServiceContext,
  paths: MachinePaths,
  { copyOf, sizeMiB = 0 }: Extract<NewDisk, { copyOf: string }>,
  id: string,
  field: string,
): Promise<DiskConfig> {
  const file = `disks/${id}.qcow2`;
  const target = path.join(paths.folder, file);
  const title = `Copying ${path.basename(copyOf)}`;
  try {
    const { format, sizeBytes } = await images.inspect(copyOf);
    await tasks.run({ title, machineId: null, cancellable: true }, ({ signal, progress }) =>
      images.flatten({ file: copyOf, format }, target, { signal, progress }),
    );
    if (sizeMiB * MIB > sizeBytes) await images.grow({ file: target, format: "qcow2" }, sizeMiB * MIB);
  } catch (error) {
    throw explained(error, { field, consequence: "Nothing was changed.", remedy: "Choose another image." });
  }
  return { id, file, format: "qcow2", readOnly: false };
}

/** A disk of another product becomes a qcow2 image of the machine's own; the original stays as it is. Null: it is none. */
async function convertForeign(
  context: ServiceContext,
  paths: MachinePaths,
  source: string,
  id: string,
  field: string,
): Promise<DiskConfig | null> {
  const { images, tasks } = context;
  const format = path.isAbsolute(source) ? await images.foreignFormat(source).catch(() => null) : null;
  if (format === null) return null;
  const file = `disks/${id}-${newId()}.qcow2`;
  const title = `Converting ${path.basename(source)} (${format.toUpperCase()})`;
  try {
    await tasks.run({ title, machineId: null, cancellable: true }, ({ signal, progress }) =>
      images.convert(source, path.join(paths.folder, file), { signal, progress }),
    );
  } catch (error) {
    throw explained(error, {
      field,
      consequence: "Nothing was changed.",
      remedy: "Choose an image that is whole and readable.",
    });
  }
  return { id, file, format: "qcow2", readOnly: false };
}

/** The format of an image that a user names. Images of the store are not for that: they are layers that others stand on. */
export async function existingImage(context: ServiceContext, file: string, field: string): Promise<"qcow2" | "raw"> {
  const refuse = (problem: string, remedy: string) =>
    new AppError("INVALID_FILE", `${problem}: ${file}`, { file, field, consequence: "Nothing was changed.", remedy });
  if (!path.isAbsolute(file)) throw refuse("The path has to be absolute", "Give the whole path of the image.");
  let format: "qcow2" | "raw";
  try {
    format = (await context.images.inspect(file)).format;
  } catch (error) {
    throw explained(error, {
      field,
      consequence: "Nothing was changed.",
      remedy: "Choose a raw or qcow2 image that is whole and readable, or give a size for a new one.",
    });
  }
  if (!(await realpath(file)).startsWith((await realpath(context.store.data.root)) + path.sep)) return format;
  throw refuse("This image belongs to a machine of Terrarium", "Clone that machine, or copy the image elsewhere.");
}

/** @throws AppError INVALID_CONFIG naming the first wrong field. */
export function validConfig(config: unknown): MachineConfig {
  const parsed = machineConfigSchema.safeParse(config);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join(".") ?? "";
  const unknown = issue?.code === "unrecognized_keys" ? [field, issue.keys[0]].filter(Boolean).join(".") : null;
  throw new AppError("INVALID_CONFIG", unknown ? `There is no setting "${unknown}"` : `${field}: ${issue?.message}`, {
    field: unknown ?? field,
    consequence: "Nothing was changed.",
    remedy: unknown ? "Leave it out, or check its spelling." : "Correct the value of this setting.",
  });
}

export interface NewMachineParts {
  readonly disks: DiskConfig[];
  /** A memory state to continue from, inside the machine's folder. */
  readonly savedState?: string;
  readonly origin?: MachineOrigin;
  /** Of a copy of an encrypted machine; its key is in the ring by then. */
  readonly encryption?: MachineRecord["encryption"];
  /** Settings that name files of the finished folder. */
  readonly config?: Partial<MachineConfig>;
}

/** Reserves the name, lets `fill` put files into the new folder, and puts the machine into the list. */
export async function makeMachine(
  context: ServiceContext,
  config: MachineConfig,
  fill: (paths: MachinePaths, final: MachinePaths) => Promise<NewMachineParts>,
): Promise<Machine> {
  const reservation = context.registry.reserveName(config.name);
  const id = newId();
  const final = context.store.paths(id);
  const building = machinePathsIn(temporaryName(final.folder));
  try {
    await withIoFailures(final.folder, { consequence: "The machine was not created." }, async () => {
      await mkdir(building.disks, { recursive: true, mode: 0o700 });
      await mkdir(building.snapshots);
      await mkdir(building.savedState);
      await mkdir(building.logs);
    });
    const parts = await fill(building, final).catch((error: unknown) => {
      // Here the file that the system named tells more than the folder that was to be made, unless it is in there.
      const named = fileOfError(error);
      const file = named === null || named.startsWith(building.folder) ? final.folder : named;
      throw ioFailure(error, file, { consequence: "The machine was not created." });
    });
    const record = newRecord(id, config, parts);
    await writeRecordFile(building.record, record);
    await syncFolder(building.disks);
    crashPoint("create:files-made");
    const confirmed = await moveIntoPlace(building.folder, final.folder);
    crashPoint("create:folder-in-place");
    await context.store.adopt(record);
    const machine = new Machine(record, context.store, context.events);
    context.registry.add(machine);
    machine.publish();
    void machine.log.write("info", "The machine was created");
    if (!confirmed) void machine.log.write("error", UNCONFIRMED);
    return machine;
  } finally {
    await rm(building.folder, { recursive: true, force: true });
    reservation.dispose();
  }
}

function newRecord(id: string, config: MachineConfig, parts: NewMachineParts): MachineRecord {
  return {
    recordVersion: RECORD_VERSION,
    id,
    revision: 1,
    createdAtMs: Date.now(),
    config: { ...config, ...parts.config, disks: parts.disks },
    state: parts.savedState === undefined ? "powered-off" : "saved",
    savedState: parts.savedState ?? null,
    currentSnapshotId: null,
    changedSinceSnapshot: false,
    lastFailure: null,
    template: false,
    origin: parts.origin ?? null,
    generationId: null,
    pending: null,
    encryption: parts.encryption ?? null,
    superseded: [],
    detachedDisks: [],
    snapshots: [],
  };
}
