// The disks of a running machine: opens their chains, hands them to the controllers, and puts a new layer on top for a snapshot
// without the controllers noticing.
import { unlink } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { AppError } from "../common/errors.ts";
import type { Pieces } from "../common/pieces.ts";
import type { BlockBackend } from "../devices/block-backend.ts";
import { openChain } from "../media/chain.ts";
import { pullUp } from "../media/layers.ts";
import { Qcow2Image, readHeader } from "../media/qcow2/image.ts";
import type { RawImage } from "../media/raw-image.ts";
import type { StartRequest } from "../protocol/engine.ts";
import { createImage } from "./create-image.ts";
import { diskSecret } from "./crypt/sealed.ts";
import { FullDisk } from "./full-disk.ts";
import { canonical, type NodeMediaHost, nodeDecompressors, nodeMediaHost } from "./media-host.ts";
import { NodeImageFile } from "./node-image-file.ts";
import { syncFolder } from "./sync-folder.ts";

type DiskRequest = StartRequest["disks"][number];
type Image = Qcow2Image | RawImage;

/** Bytes of the disk that one step of a merge looks at or copies: a few milliseconds. */
const MERGE_STEP_BYTES = 8 << 20;

/** A disk whose top layer can be exchanged. */
class LayeredDisk implements BlockBackend {
  readonly id: string;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Snapshots may leave it out. */
  readonly independent: boolean;
  top: Image;
  file: NodeImageFile;
  path: string;
  /** Settles when frozen layers are on disk: a guest flush covers what it wrote before the snapshot, too. */
  frozen: Promise<void> = Promise.resolve();
  readonly #underWay = new Set<Promise<void>>();
  readonly #full: FullDisk;
  /** Set while requests have to wait. */
  #gate: Promise<void> | undefined;

  constructor({ id, independent = false }: DiskRequest, top: Image, file: NodeImageFile, path: string, full: FullDisk) {
    this.#full = full;
    this.id = id;
    this.independent = independent;
    this.top = top;
    this.file = file;
    this.path = path;
    this.sizeBytes = top.sizeBytes;
    this.readOnly = top.readOnly;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    return this.#track(() => this.top.read(offset, target));
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.#change(() => this.top.write(offset, source));
  }

  readPieces(offset: number, target: Pieces): Promise<void> {
    return this.#track(() => this.top.readPieces(offset, target));
  }

  writePieces(offset: number, source: Pieces): Promise<void> {
    return this.#change(() => this.top.writePieces(offset, source));
  }

  readNow(offset: number, target: Pieces): boolean {
    return this.#gate === undefined && this.top.readNow(offset, target);
  }

  async flush(): Promise<void> {
    await this.frozen;
    await this.#full.run(() => this.top.flush());
  }

  discard(offset: number, length: number): Promise<void> {
    return this.#change(() => this.top.discard(offset, length));
  }

  writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void> {
    return this.#change(() => this.top.writeZeroes(offset, length, mayUnmap));
  }

  /** Waits for requests under way. */
  async drain(): Promise<void> {
    while (this.#underWay.size > 0) await this.#full.orFull(Promise.allSettled([...this.#underWay]));
  }

  /** Runs `change` with no request under way; those that come meanwhile wait. */
  async whileStill<T>(change: () => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    try {
      await this.drain();
      return await change();
    } finally {
      this.#gate = undefined;
      resolve();
    }
  }

  #change(begin: () => Promise<void>): Promise<void> {
    return this.#track(() => this.#full.run(begin));
  }

  #track(begin: () => Promise<void>): Promise<void> {
    if (this.#gate) return this.#gate.then(() => this.#track(begin));
    const work = begin();
    this.#underWay.add(work);
    const done = () => void this.#underWay.delete(work);
    work.then(done, done);
    return work;
  }
}

/** A new top layer that is ready on disk but not in use. */
export interface PreparedLayer {
  readonly disk: LayeredDisk;
  readonly image: Qcow2Image;
  readonly file: NodeImageFile;
  readonly path: string;
}

export class DiskSet {
  readonly full: FullDisk;
  readonly #disks: LayeredDisk[];
  readonly #folder: string;
  readonly #host: NodeMediaHost;
  readonly #secret: string | undefined;

  private constructor(disks: LayeredDisk[], machineFolder: string, secret: string | undefined, full: FullDisk) {
    this.full = full;
    this.#disks = disks;
    this.#folder = machineFolder;
    this.#secret = secret;
    this.#host = nodeMediaHost({ trustedFolders: [machineFolder], secretOf: () => secret });
  }

  /** `machineFolder`: images in it were made by Terrarium. Throws AppError; nothing stays open then. */
  static async open(
    requests: readonly DiskRequest[],
    machineFolder: string,
    machineKey?: Uint8Array,
  ): Promise<DiskSet> {
    const secret = machineKey && diskSecret(machineKey);
    const disks: LayeredDisk[] = [];
    const full = new FullDisk();
    try {
      for (const request of requests) disks.push(await openDisk(request, machineFolder, secret, full));
    } catch (error) {
      for (const disk of disks) await disk.top.close().catch(() => undefined);
      throw error;
    }
    return new DiskSet(disks, machineFolder, secret, full);
  }

  get disks(): readonly LayeredDisk[] {
    return this.#disks;
  }

  /** One more disk. @throws AppError; nothing stays open then. */
  async add(request: DiskRequest): Promise<LayeredDisk> {
    if (this.#disks.some(({ id }) => id === request.id)) {
      throw new AppError("ALREADY_EXISTS", `there is a disk ${request.id} already`, { field: "disk.id" });
    }
    const disk = await openDisk(request, this.#folder, this.#secret, this.full);
    this.#disks.push(disk);
    return disk;
  }

  /** Flushes and closes a disk that no controller has any more. */
  async remove(diskId: string): Promise<void> {
    const disk = this.#named(diskId);
    this.#disks.splice(this.#disks.indexOf(disk), 1);
    await disk.drain();
    await closeDisk(disk);
  }

  /** Makes a layer for every writable disk that is asked for; only independent ones may be left out. Files that were made are removed again when it throws. */
  async prepareLayers(overlays: readonly { diskId: string; file: string }[]): Promise<PreparedLayer[]> {
    const writable = this.disks.filter((disk) => !disk.readOnly);
    const named = new Set(overlays.map((overlay) => overlay.diskId));
    const forgotten = writable.find((disk) => !disk.independent && !named.has(disk.id));
    if (forgotten || overlays.length !== named.size) {
      throw new AppError("INVALID_ARGUMENT", `a snapshot needs one new layer for each writable disk`, {
        field: `overlays.${forgotten?.id ?? "length"}`,
      });
    }
    const prepared: PreparedLayer[] = [];
    try {
      for (const { diskId, file } of overlays) {
        const disk = writable.find((each) => each.id === diskId);
        if (!disk) throw new AppError("INVALID_ARGUMENT", `there is no writable disk ${diskId}`, { field: "overlays" });
        prepared.push(await prepareLayer(disk, file, this.#secret));
      }
    } catch (error) {
      await discardLayers(prepared);
      throw error;
    }
    for (const { path } of prepared) syncFolder(dirname(path));
    // Most of what is dirty goes out while the guest still runs.
    await Promise.all(writable.map((disk) => disk.flush()));
    return prepared;
  }

  /** Puts prepared layers on top, with the guest standing still and no request under way. */
  async useLayers(prepared: readonly PreparedLayer[]): Promise<void> {
    await this.drain();
    for (const { disk, image, file, path } of prepared) {
      const below = disk.top;
      const belowFile = disk.file;
      const settled = below instanceof Qcow2Image ? below.freeze() : below.flush();
      const before = disk.frozen;
      disk.frozen = before.then(() => settled).then(() => belowFile.lock?.downgrade("r"));
      // Whoever flushes or takes the next snapshot hears of a failure; nobody else has to.
      disk.frozen.catch(() => undefined);
      disk.top = image;
      disk.file = file;
      disk.path = path;
    }
  }

  /** One piece of merging `layer`, which is right below the top of a disk, into that top. @throws AppError INVALID_STATE, IO_ERROR, ... */
  async mergeStep(diskId: string, layer: string, offset: number) {
    const disk = this.#named(diskId);
    const { top } = disk;
    const below = await this.#layerBelow(disk);
    if (!(top instanceof Qcow2Image) || top.readOnly || below?.path !== (await canonical(layer))) {
      throw new AppError("INVALID_STATE", `${layer} is not the layer below the top of ${diskId}`, {
        file: layer,
        field: "layer",
        consequence: "Nothing was merged.",
      });
    }
    // What the layer holds must not change any more: it may have been frozen a moment ago.
    await disk.frozen;
    const end = Math.min(top.sizeBytes, offset + MERGE_STEP_BYTES);
    let reached = offset;
    while (reached < end) reached += await pullUp(top, reached, end - reached);
    const done = reached >= top.sizeBytes;
    if (done) await this.#dropLayer(disk, top, below.path);
    return { offset: reached, sizeBytes: top.sizeBytes, done };
  }

  /** Makes the top layer stand on what `layer` stands on. */
  async #dropLayer(disk: LayeredDisk, top: Qcow2Image, layer: string): Promise<void> {
    const { backing } = top.backing instanceof Qcow2Image ? top.backing.header : { backing: undefined };
    if (!backing) return disk.whileStill(() => top.setBacking(undefined));
    const path = await this.#host.resolveBacking(layer, backing.name);
    const format = backing.format === "raw" ? "raw" : "qcow2";
    const image = await openChain(this.#host, { path, format, readOnly: true });
    const name = dirname(path) === dirname(disk.path) ? basename(path) : path;
    try {
      await disk.whileStill(() => top.setBacking({ name, format, image }));
    } catch (error) {
      if (top.backing !== image) await image.close();
      throw error;
    }
  }

  /** Opens the layers below a disk's top anew: one of them stands on another layer than before. */
  async reopenLayers(diskId: string): Promise<void> {
    const disk = this.#named(diskId);
    const below = await this.#layerBelow(disk);
    if (!below || !(disk.top instanceof Qcow2Image)) return;
    await disk.frozen;
    await disk.top.reopenBacking(await openChain(this.#host, { ...below, readOnly: true }));
  }

  #named(diskId: string): LayeredDisk {
    const disk = this.disks.find((each) => each.id === diskId);
    if (disk) return disk;
    throw new AppError("NOT_FOUND", `there is no disk ${diskId}`, { field: "diskId" });
  }

  async #layerBelow({ top, path }: LayeredDisk): Promise<{ path: string; format: "qcow2" | "raw" } | undefined> {
    const backing = top instanceof Qcow2Image ? top.header.backing : undefined;
    if (!backing) return undefined;
    const format = backing.format === "raw" ? "raw" : "qcow2";
    return { path: await this.#host.resolveBacking(path, backing.name), format };
  }

  /** Waits for requests under way. */
  async drain(): Promise<void> {
    for (const disk of this.disks) await disk.drain();
  }

  async flush(): Promise<void> {
    await Promise.all(this.disks.filter((disk) => !disk.readOnly).map((disk) => disk.flush()));
  }

  /** Flushes and closes everything; throws the first failure after all were tried. */
  async close(): Promise<void> {
    const results = await Promise.allSettled(this.disks.map(closeDisk));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }
}

async function closeDisk(disk: LayeredDisk): Promise<void> {
  try {
    await disk.frozen;
  } finally {
    await disk.top.close();
  }
}

async function openDisk(
  request: DiskRequest,
  machineFolder: string,
  secret: string | undefined,
  full: FullDisk,
): Promise<LayeredDisk> {
  const host = nodeMediaHost({ trustedFolders: [machineFolder], secretOf: () => secret });
  const path = await canonical(request.file);
  let file: NodeImageFile | undefined;
  const recording = {
    ...host,
    async openFile(name: string, readOnly: boolean) {
      const opened = await host.openFile(name, readOnly);
      file ??= opened;
      return opened;
    },
  };
  const top = await openChain(recording, { path, format: request.format, readOnly: request.readOnly });
  if (!file) throw new Error("assertion failed: the top layer was opened first");
  return new LayeredDisk(request, top, file, path, full);
}

async function prepareLayer(disk: LayeredDisk, overlay: string, secret: string | undefined): Promise<PreparedLayer> {
  const path = resolve(await canonical(dirname(overlay)), basename(overlay));
  const name = dirname(path) === dirname(disk.path) ? basename(disk.path) : disk.path;
  const file = await NodeImageFile.open(path, { readOnly: false, create: true });
  try {
    const clearFile = await createImage(file, disk.sizeBytes, { name, format: disk.top.format }, secret);
    const image = await Qcow2Image.open(file, await readHeader(file), {
      decompressors: nodeDecompressors,
      backing: disk.top,
      clearFile,
    });
    return { disk, image, file, path };
  } catch (error) {
    await file.close();
    await unlink(path).catch(() => undefined);
    throw error;
  }
}

export async function discardLayers(prepared: readonly PreparedLayer[]): Promise<void> {
  for (const { file, path } of prepared) {
    // Only the file: the image would close the layer below with it.
    await file.close().catch(() => undefined);
    await unlink(path).catch(() => undefined);
  }
}
