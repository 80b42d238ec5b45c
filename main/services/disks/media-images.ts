// Disk images by native-core/media on this host's files.
import { rm, stat } from "node:fs/promises";
import path from "node:path";
import { assert } from "../../../native-core/common/assert.ts";
import { isAppError } from "../../../native-core/common/errors.ts";
import { createImage } from "../../../native-core/host/create-image.ts";
import { canonical, nodeDecompressors, nodeMediaHost } from "../../../native-core/host/media-host.ts";
import { NodeImageFile } from "../../../native-core/host/node-image-file.ts";
import { openChain } from "../../../native-core/media/chain.ts";
import { formatOf } from "../../../native-core/media/detect-format.ts";
import type { DiskImage } from "../../../native-core/media/disk-image.ts";
import type { ReadableDisk } from "../../../native-core/media/foreign/foreign-image.ts";
import { foreignFormatOf, openForeign } from "../../../native-core/media/foreign/open.ts";
import {
  copyDisk,
  copyOwn,
  copyReadable,
  dropZeroes,
  findDamage,
  mergeCost,
  mergeUp,
  readThrough,
  visibleExtent,
} from "../../../native-core/media/layers.ts";
import { checkQcow2, type ImageCheck, repairCounts } from "../../../native-core/media/qcow2/check.ts";
import type { Qcow2Header } from "../../../native-core/media/qcow2/header.ts";
import type { BackingReference } from "../../../native-core/media/qcow2/header-writer.ts";
import { Qcow2Image, readHeader } from "../../../native-core/media/qcow2/image.ts";
import { growQcow2, growRaw, shrinkQcow2 } from "../../../native-core/media/qcow2/resize.ts";
import { syncFolder } from "../../store/atomic-file.ts";
import { gptForSize } from "./disk-end.ts";
import type { CopyProgress, DiskImages, ImageFacts } from "./disk-images.ts";

type Format = "qcow2" | "raw";

const ZERO_STEP_BYTES = 1 << 30;

type SecretOf = (file: string) => string | undefined;

/**
 * `machinesFolder`: images below it were made by Terrarium, so the backing files they name are followed wherever they are. `secretOf`: what
 * opens an encrypted image; new images at such a place are encrypted.
 */
export function mediaImages(machinesFolder: string, secretOf: SecretOf = () => undefined): DiskImages {
  const reading = nodeMediaHost({ trustedFolders: [machinesFolder], secretOf });
  const writing = reading;
  const merging = nodeMediaHost({ trustedFolders: [machinesFolder], secretOf, writeLock: "m" });

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

    async open(file, format) {
      const image = await openChain(reading, { path: await canonical(file), format, readOnly: true });
      return {
        sizeBytes: image.sizeBytes,
        read: (offset, target) => image.read(offset, target),
        extentAt: (offset, length) => visibleExtent(image, offset, length),
        close: () => image.close(),
      };
    },

    async fill(file, work) {
      const image = await openChain(writing, { path: await canonical(file), format: "qcow2", readOnly: false });
      try {
        await work((offset, bytes) => image.write(offset, bytes));
        await image.flush();
      } finally {
        await image.close();
      }
    },

    async verify(file, format) {
      const image = await openChain(reading, { path: await canonical(file), format, readOnly: true });
      try {
        await readThrough(image);
      } finally {
        await image.close();
      }
    },

    create: (file, sizeBytes) => makeFile(file, sizeBytes, undefined, secretOf),

    async createOverlay(file, backing) {
      const top = await openChain(reading, {
        path: await canonical(backing.file),
        format: backing.format,
        readOnly: true,
      });
      try {
        const name = backingName(file, backing.file);
        await makeFile(file, top.sizeBytes, { name, format: backing.format }, secretOf);
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

    async grow({ file, format }, sizeBytes) {
      const opened = await NodeImageFile.open(await canonical(file), { readOnly: false });
      try {
        if (format === "raw") await growRaw(opened, sizeBytes);
        else await growQcow2(opened, await readHeader(opened), sizeBytes);
      } finally {
        await opened.close();
      }
    },

    async shrink({ file, format }, sizeBytes) {
      const path = await canonical(file);
      const image = await openChain(writing, { path, format, readOnly: false });
      try {
        for (const { offset, bytes } of await gptForSize(image, sizeBytes)) {
          await image.write(offset, bytes);
          await image.flush();
        }
        for (let offset = sizeBytes; offset < image.sizeBytes; offset += ZERO_STEP_BYTES) {
          await image.writeZeroes(offset, Math.min(ZERO_STEP_BYTES, image.sizeBytes - offset), true);
        }
      } finally {
        await image.close();
      }
      const opened = await NodeImageFile.open(path, { readOnly: false });
      try {
        if (format === "raw") {
          await opened.truncate(sizeBytes);
          await opened.flush();
        } else await shrinkQcow2(opened, await readHeader(opened), sizeBytes);
      } finally {
        await opened.close();
      }
    },

    async compact(file, options) {
      const image = await openChain(writing, { path: await canonical(file), format: "qcow2", readOnly: false });
      try {
        await dropZeroes(image, workOptions(options));
        if (image instanceof Qcow2Image) await image.giveBackFree();
      } finally {
        await image.close();
      }
    },

    async copyLayer(source, { file, backing }, { encrypted, ...options }) {
      const from = await openChain(reading, {
        path: await canonical(source.file),
        format: source.format,
        readOnly: true,
      });
      try {
        const reference = backing ? { name: backingName(file, backing.file), format: backing.format } : undefined;
        await makeFile(file, from.sizeBytes, reference, encrypted ? secretOf : () => undefined);
        const to = await openChain(writing, { path: await canonical(file), format: "qcow2", readOnly: false });
        try {
          assert(to instanceof Qcow2Image, "a qcow2 image was made");
          await copyOwn(from, to, workOptions(options));
        } finally {
          await to.close();
        }
      } catch (error) {
        await rm(file, { force: true });
        throw error;
      } finally {
        await from.close();
      }
    },

    async foreignFormat(file) {
      const opened = await reading.openFile(await canonical(file), true);
      try {
        return await foreignFormatOf(opened);
      } finally {
        await opened.close();
      }
    },

    async convert(source, target, options) {
      const file = await canonical(source);
      const from = await openForeign(await reading.openFile(file, true), {
        decompressors: nodeDecompressors,
        openBeside: (name) => reading.openFile(path.join(path.dirname(file), name), true),
      });
      assert(from, "the image has a format of another product");
      try {
        await makeCopy(from, target, options);
      } finally {
        await from.close();
      }
    },

    async check(file, format) {
      if (format !== "qcow2") return null;
      const path = await canonical(file);
      const opened = await reading.openFile(path, true);
      let header: Qcow2Header;
      let found: ImageCheck;
      try {
        header = await readHeader(opened);
        found = await checkQcow2(opened, header);
      } catch (error) {
        if (isAppError(error) && error.code === "UNSUPPORTED") return null;
        throw error;
      } finally {
        await opened.close();
      }
      const { leakedClusters, lowClusters, badBlocks, isMarked } = found;
      const hasWrongCounts = lowClusters + badBlocks > 0 || isMarked;
      const leakedBytes = leakedClusters * header.clusterSize;
      return { damage: await damageOf(path, header, found.damage), hasWrongCounts, leakedBytes };
    },

    async repairCounts(file) {
      const path = await canonical(file);
      // Read-only at first: a marked image is not opened for writing.
      const header = await headerOf(path);
      const opened = await writing.openFile(path, false);
      try {
        await repairCounts(opened, header, await checkQcow2(opened, header));
      } finally {
        await opened.close();
      }
    },

    async salvage(file, target, damage, rescue) {
      const path = await canonical(file);
      const { backing, sizeBytes } = await headerOf(path);
      const isAll = damage[0]?.length === sizeBytes;
      const from = isAll ? null : await openChain(reading, { path, format: "qcow2", readOnly: true });
      try {
        const reference = backing && { name: backing.name, format: backing.format ?? "raw" };
        await makeFile(target, sizeBytes, reference, secretOf);
        const to = await openChain(writing, { path: await canonical(target), format: "qcow2", readOnly: false });
        try {
          assert(to instanceof Qcow2Image, "a qcow2 image was made");
          await copyReadable(from, to, damage, rescue);
        } finally {
          await to.close();
        }
      } catch (error) {
        await rm(target, { force: true });
        throw error;
      } finally {
        await from?.close();
      }
    },

    async flatten(source, target, options) {
      const from = await openChain(reading, {
        path: await canonical(source.file),
        format: source.format,
        readOnly: true,
      });
      try {
        await makeCopy(from, target, options);
      } finally {
        await from.close();
      }
    },
  };

  /** Of a layer that can't be opened, though those below can, it is all. */
  async function damageOf(path: string, { sizeBytes }: Qcow2Header, known: ImageCheck["damage"]) {
    let image: DiskImage;
    try {
      image = await openChain(reading, { path, format: "qcow2", readOnly: true });
    } catch (error) {
      const isOwn = isAppError(error) && error.code === "INVALID_FILE" && error.details.file === path;
      if (!isOwn) throw error;
      return [{ offset: 0, length: sizeBytes }];
    }
    try {
      return await findDamage(image, known);
    } finally {
      await image.close();
    }
  }

  async function headerOf(file: string) {
    const opened = await reading.openFile(file, true);
    try {
      return await readHeader(opened);
    } finally {
      await opened.close();
    }
  }

  /** Complete or absent. */
  async function makeCopy(from: ReadableDisk, target: string, options: CopyProgress): Promise<void> {
    await makeFile(target, from.sizeBytes, undefined, secretOf);
    try {
      const to = await openChain(reading, { path: await canonical(target), format: "qcow2", readOnly: false });
      try {
        await copyDisk(from, to, workOptions(options));
      } finally {
        await to.close();
      }
    } catch (error) {
      await rm(target, { force: true });
      throw error;
    }
  }
}

/** Relative inside one folder, so that the machine's folder can be moved as a whole; otherwise absolute. */
function backingName(file: string, backing: string): string {
  return path.dirname(file) === path.dirname(backing) ? path.basename(backing) : path.resolve(backing);
}

async function makeFile(
  file: string,
  sizeBytes: number,
  backing: BackingReference | undefined,
  secretOf: SecretOf,
): Promise<void> {
  const folder = await canonical(path.dirname(file));
  const place = path.join(folder, path.basename(file));
  const target = await NodeImageFile.open(place, { readOnly: false, create: true });
  try {
    await createImage(target, sizeBytes, backing, secretOf(place));
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
