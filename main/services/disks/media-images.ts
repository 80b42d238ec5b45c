// Disk images by native-core/media on this host's files.
import { rm, stat } from "node:fs/promises";
import path from "node:path";
import { assert } from "../../../native-core/common/assert.ts";
import { canonical, nodeMediaHost } from "../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { openChain } from "../../../native-core/media/chain.ts";
import { formatOf } from "../../../native-core/media/detect-format.ts";
import { copyDisk, mergeCost, mergeUp } from "../../../native-core/media/layers.ts";
import { createQcow2 } from "../../../native-core/media/qcow2/create.ts";
import { Qcow2Image } from "../../../native-core/media/qcow2/image.ts";
import { syncFolder } from "../../store/atomic-file.ts";
import type { CopyProgress, DiskImages, ImageFacts } from "./disk-images.ts";

type Format = "qcow2" | "raw";

/** `machinesFolder`: images below it were made by Terrarium, so the backing files they name are followed wherever they are. */
export function mediaImages(machinesFolder: string): DiskImages {
  const reading = nodeMediaHost({ trustedFolders: [machinesFolder] });
  const merging = nodeMediaHost({ trustedFolders: [machinesFolder], writeLock: "m" });

  async function detect(file: string): Promise<Format> {
    const opened = await reading.openFile(file, true);
    try {
      return await formatOf(opened);
    } finally {
      await opened.close();
    }
  }

  return {
    async inspect(file, format): Promise<ImageFacts> {
      const path = await canonical(file);
      const known = format ?? (await detect(path));
      const image = await openChain(reading, { path, format: known, readOnly: true });
      try {
        return { format: known, sizeBytes: image.sizeBytes, usedBytes: await usedBytes(path) };
      } finally {
        await image.close();
      }
    },

    create: (file, sizeBytes) => makeFile(file, (target) => createQcow2(target, sizeBytes)),

    async createOverlay(file, backing) {
      const top = await openChain(reading, {
        path: await canonical(backing.file),
        format: backing.format,
        readOnly: true,
      });
      try {
        const name = backingName(file, backing.file);
        await makeFile(file, (target) => createQcow2(target, top.sizeBytes, { name, format: backing.format }));
      } finally {
        await top.close();
      }
    },

    async pullFromBacking(file, options) {
      const child = await openChain(merging, { path: await canonical(file), format: "qcow2", readOnly: false });
      try {
        assert(child instanceof Qcow2Image && child.backing instanceof Qcow2Image, "a layer of our own is below");
        const layer = child.backing;
        const { backing } = layer.header;
        const image = layer.backing;
        const below = backing && image ? { name: backing.name, format: backing.format ?? "raw", image } : undefined;
        await mergeUp(child, below, workOptions(options));
      } finally {
        await child.close();
      }
    },

    async mergeCost(file) {
      const image = await openChain(reading, { path: await canonical(file), format: "qcow2", readOnly: true });
      try {
        return image instanceof Qcow2Image ? await mergeCost(image) : { copiedBytes: 0, freedBytes: 0 };
      } finally {
        await image.close();
      }
    },

    async flatten(source, target, options) {
      const from = await openChain(reading, {
        path: await canonical(source.file),
        format: source.format,
        readOnly: true,
      });
      try {
        await makeFile(target, async (file) => {
          await createQcow2(file, from.sizeBytes);
        });
        const to = await openChain(reading, { path: await canonical(target), format: "qcow2", readOnly: false });
        try {
          await copyDisk(from, to, workOptions(options));
        } finally {
          await to.close();
        }
      } catch (error) {
        await rm(target, { force: true });
        throw error;
      } finally {
        await from.close();
      }
    },
  };
}

/** Relative inside one folder, so that the machine's folder can be moved as a whole; otherwise absolute. */
function backingName(file: string, backing: string): string {
  return path.dirname(file) === path.dirname(backing) ? path.basename(backing) : path.resolve(backing);
}

async function makeFile(file: string, fill: (target: NodeImageFile) => Promise<void>): Promise<void> {
  const folder = await canonical(path.dirname(file));
  const target = await NodeImageFile.open(path.join(folder, path.basename(file)), { readOnly: false, create: true });
  try {
    await fill(target);
  } catch (error) {
    await target.close();
    await rm(file, { force: true });
    throw error;
  }
  await target.close();
  await syncFolder(folder);
}

function workOptions(options: CopyProgress) {
  return { cancellation: options.signal, onProgress: (share: number) => options.progress?.(share) };
}

async function usedBytes(file: string): Promise<number> {
  const found = await stat(file);
  return process.platform === "win32" ? found.size : found.blocks * 512;
}
