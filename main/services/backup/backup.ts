// Backups of machines, running or not, to another folder: incremental by what is there already, resumable, checked; and machines made of
// them, on this computer or another one. A running machine is backed up from a snapshot that goes again afterwards.
import { mkdir, open, readdir } from "node:fs/promises";
import path from "node:path";
import { AppError, isAppError } from "../../../native-core/common/errors.ts";
import { isAllZero } from "../../../native-core/common/zero.ts";
import type { DiskConfig } from "../../../native-core/config/machine-config.ts";
import type { Backup, BackupKind, BackupProblem } from "../../contract/schemas.ts";
import { syncFolder } from "../../store/atomic-file.ts";
import type { MachinePaths } from "../../store/data-folder.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import { hasOwnData, readBacking } from "../../store/qcow2-header.ts";
import type { ServiceContext } from "../context.ts";
import type { OpenedImage } from "../disks/disk-images.ts";
import { cancelled } from "../failures.ts";
import { newId } from "../ids.ts";
import { makeMachine, validConfig } from "../machines/creation.ts";
import type { Machine } from "../machines/machine.ts";
import { withNewAddresses } from "../network/adapters.ts";
import { withTops } from "../snapshots/layers.ts";
import { atThisMoment } from "../snapshots/moment.ts";
import type { TaskHandle } from "../tasks.ts";
import { BackupRepository, type Contents, type Manifest, PIECE_BYTES, piecesOf } from "./repository.ts";

export interface BackupOptions {
  /** Absolute path, outside of the data folder. */
  readonly folder: string;
  /** Whether the memory of a running or saved machine is kept, too. */
  readonly memory: boolean;
  /** Default: `user`. */
  readonly kind?: BackupKind;
}

export interface BackupResult extends Backup {
  /** What was new, in bytes of the backup folder. */
  readonly writtenBytes: number;
}

export async function backUp(
  context: ServiceContext,
  machine: Machine,
  { folder, memory, kind = "user" }: BackupOptions,
): Promise<BackupResult> {
  requireOutside(context, folder);
  requireClear(machine, "a backup");
  const repository = await BackupRepository.open(folder, true);
  const options = { title: `Backing up ${machine.name}`, machineId: machine.id, cancellable: true };
  return context.tasks.run(options, (task) =>
    atThisMoment(context, machine, { purpose: "Backup", memory }, (snapshot) =>
      storeMoment(context, machine, snapshot, repository, { kind, memory }, task),
    ),
  );
}

/** @throws AppError UNSUPPORTED for an encrypted machine; `result` is what would hold its disks in the clear */
export function requireClear(machine: Machine, result: string): void {
  if (machine.record.encryption === null) return;
  throw new AppError("UNSUPPORTED", `"${machine.name}" is encrypted, and ${result} would hold its disks in the clear`, {
    ...{ field: "encryption", consequence: "Nothing was written." },
    remedy:
      "Copy its folder while it is off: what is in there is encrypted. Or make a full copy of the machine, decrypt that and use it.",
  });
}

async function storeMoment(
  context: ServiceContext,
  machine: Machine,
  snapshot: SnapshotRecord,
  repository: BackupRepository,
  options: { readonly kind: BackupKind; readonly memory: boolean },
  task: TaskHandle,
): Promise<BackupResult> {
  const disks = withTops(snapshot.config.disks, snapshot.layers);
  const written = { bytes: 0 };
  const store = async (bytes: Uint8Array): Promise<string | null> => {
    if (task.signal.aborted) throw cancelled("The backup");
    if (isAllZero(bytes)) return null;
    const { name, writtenBytes } = await repository.put(bytes);
    written.bytes += writtenBytes;
    return name;
  };
  const stored: Manifest["disks"] = [];
  for (const [index, disk] of disks.entries()) {
    const image = await context.images.open(path.resolve(machine.paths.folder, disk.file), disk.format);
    try {
      const progress = (share: number) => task.progress((index + share) / (disks.length + 1));
      const layer = path.basename(await lastWritten(machine, disk));
      stored.push({ diskId: disk.id, layer, ...(await storeImage(image, store, progress)) });
    } finally {
      await image.close();
    }
  }
  const memory = snapshot.memory === null || !options.memory ? null : path.join(machine.paths.folder, snapshot.memory);
  const manifest: Manifest = {
    format: "terrarium-backup",
    version: 1,
    id: newId(),
    machineId: machine.id,
    takenAtMs: snapshot.takenAtMs,
    kind: options.kind,
    config: {
      ...snapshot.config,
      // They are of this host, and nobody's else business.
      sharedFolders: [],
      disks: disks.map((disk) => ({ ...disk, file: `disks/${disk.id}.qcow2`, format: "qcow2" })),
    },
    disks: stored,
    memory: memory === null ? null : await storeFolder(memory, store),
  };
  await repository.putManifest(manifest);
  void machine.log.write("info", `A backup was made in ${repository.folder}`);
  return { ...backupView(manifest), writtenBytes: written.bytes };
}

/** The uppermost layer that holds anything: one above it reads the same. */
async function lastWritten(machine: Machine, disk: DiskConfig): Promise<string> {
  let file = path.resolve(machine.paths.folder, disk.file);
  if (disk.format === "raw") return file;
  while (!(await hasOwnData(file))) {
    const backing = await readBacking(file, "qcow2");
    if (!backing?.file?.startsWith(machine.paths.disks + path.sep)) break;
    file = backing.file;
  }
  return file;
}

type Store = (bytes: Uint8Array) => Promise<string | null>;

async function storeImage(image: OpenedImage, store: Store, progress: (share: number) => void): Promise<Contents> {
  const pieces: (string | null)[] = [];
  for (let offset = 0; offset < image.sizeBytes; offset += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, image.sizeBytes - offset);
    const extent = await image.extentAt(offset, length);
    if (extent.kind === "zero" && extent.length === length) pieces.push(null);
    else {
      const bytes = new Uint8Array(length);
      await image.read(offset, bytes);
      pieces.push(await store(bytes));
    }
    progress(offset / image.sizeBytes);
  }
  return { sizeBytes: image.sizeBytes, pieces };
}

async function storeFolder(folder: string, store: Store): Promise<Record<string, Contents>> {
  const files: Record<string, Contents> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    files[path.relative(folder, file).replaceAll(path.sep, "/")] = await storeFile(file, store);
  }
  return files;
}

async function storeFile(file: string, store: Store): Promise<Contents> {
  const handle = await open(file, "r");
  try {
    const pieces: (string | null)[] = [];
    let sizeBytes = 0;
    for (;;) {
      const bytes = new Uint8Array(PIECE_BYTES);
      const { bytesRead } = await handle.read(bytes, 0, PIECE_BYTES, sizeBytes);
      if (bytesRead === 0) return { sizeBytes, pieces };
      pieces.push(await store(bytes.subarray(0, bytesRead)));
      sizeBytes += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

function backupView(manifest: Manifest): Backup {
  const { id, machineId, takenAtMs, kind, config, disks, memory } = manifest;
  const sizeBytes = disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
  return { id, machineId, machineName: config.name, takenAtMs, kind, sizeBytes, withMemory: memory !== null };
}

/** Newest first. */
export async function listBackups(folder: string): Promise<Backup[]> {
  const { manifests } = await (await BackupRepository.open(folder)).manifests();
  return manifests.toReversed().map(backupView);
}

/** A new machine as it was; it has an identity of its own. @throws AppError NOT_FOUND, INVALID_FILE, ... */
export async function restoreBackup(
  context: ServiceContext,
  folder: string,
  backupId: string,
  name: string | undefined,
): Promise<Machine> {
  const repository = await BackupRepository.open(folder);
  const manifest = (await repository.manifests()).manifests.find((each) => each.id === backupId);
  if (!manifest) {
    throw new AppError("NOT_FOUND", `There is no backup ${backupId} in ${folder}`, {
      field: "backupId",
      consequence: "Nothing was restored.",
      remedy: "List the backups of this folder.",
    });
  }
  const freeName = name ?? context.registry.freeName(manifest.config.name);
  const config = validConfig({
    ...manifest.config,
    name: freeName,
    disks: [],
    adapters: withNewAddresses(manifest.config.adapters),
    // Whoever wrote the file has no say in what of this host its guest may see.
    sharedFolders: [],
  });
  const options = { title: `Restoring ${freeName}`, machineId: null, cancellable: true };
  return context.tasks.run(options, (task) =>
    makeMachine(context, config, async (paths) => {
      for (const [index, disk] of manifest.disks.entries()) {
        await restoreDisk(context, repository, disk, path.join(paths.disks, `${disk.diskId}.qcow2`), task);
        task.progress((index + 1) / (manifest.disks.length + 1));
      }
      const disks: DiskConfig[] = manifest.config.disks.filter((disk) =>
        manifest.disks.some((stored) => stored.diskId === disk.id),
      );
      if (manifest.memory === null) return { disks };
      return { disks, savedState: await restoreMemory(repository, manifest.memory, paths) };
    }),
  );
}

async function restoreDisk(
  context: ServiceContext,
  repository: BackupRepository,
  { sizeBytes, pieces }: Contents,
  file: string,
  task: TaskHandle,
): Promise<void> {
  await context.images.create(file, sizeBytes);
  await context.images.fill(file, async (write) => {
    for (const [index, piece] of pieces.entries()) {
      if (task.signal.aborted) throw cancelled("The restore");
      if (piece !== null) await write(index * PIECE_BYTES, await repository.get(piece));
    }
  });
}

async function restoreMemory(
  repository: BackupRepository,
  files: Readonly<Record<string, Contents>>,
  paths: MachinePaths,
): Promise<string> {
  const savedState = `saved-state/${newId()}`;
  const folder = path.join(paths.folder, savedState);
  await mkdir(path.join(folder, "packs"), { recursive: true, mode: 0o700 });
  for (const [name, { sizeBytes, pieces }] of Object.entries(files)) {
    const handle = await open(path.join(folder, name), "wx", 0o600);
    try {
      for (const piece of pieces) if (piece !== null) await handle.writeFile(await repository.get(piece));
      await handle.truncate(sizeBytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  await syncFolder(path.join(folder, "packs"));
  await syncFolder(folder);
  return savedState;
}

/** Reads and checks everything that the backups of a folder refer to. */
export async function verifyBackups(
  context: ServiceContext,
  folder: string,
): Promise<{ backups: number; pieces: number; problems: BackupProblem[] }> {
  const repository = await BackupRepository.open(folder);
  const { manifests, damaged } = await repository.manifests();
  const problems: BackupProblem[] = damaged.map((file) => ({
    file,
    message: "It is no manifest of a backup",
    backupId: null,
  }));
  const users = new Map<string, string>();
  for (const manifest of manifests) for (const piece of piecesOf(manifest)) users.set(piece, manifest.id);
  const options = { title: "Verifying backups", machineId: null, cancellable: true };
  await context.tasks.run(options, async (task) => {
    let done = 0;
    for (const [piece, backupId] of users) {
      if (task.signal.aborted) throw cancelled("The verification");
      await repository.get(piece).catch((error: unknown) => {
        if (!isAppError(error)) throw error;
        problems.push({ file: error.details.file ?? piece, message: error.message, backupId });
      });
      task.progress(++done / users.size);
    }
  });
  return { backups: manifests.length, pieces: users.size, problems };
}

function requireOutside(context: ServiceContext, folder: string): void {
  const inside = path.relative(context.store.data.root, folder);
  if (path.isAbsolute(folder) && (inside.startsWith("..") || path.isAbsolute(inside))) return;
  throw new AppError("INVALID_ARGUMENT", `A backup can't be kept there: ${folder}`, {
    field: "folder",
    consequence: "No backup was made.",
    remedy: "Give the whole path of a folder outside of Terrarium's data folder, best on another disk.",
  });
}
