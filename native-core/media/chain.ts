// Opening an image with all the layers below it.
//
// A backing name in a header is input from whoever made the image. It is followed only where the caller's policy allows it, and
// only with a recorded format: guessing would let the guest of a raw layer forge a header that names any file of the host.
import { AppError } from "../common/errors.ts";
import type { DiskFormat, DiskImage } from "./disk-image.ts";
import type { ImageFile } from "./image-file.ts";
import { invalidImage } from "./media-error.ts";
import type { Decompressors } from "./qcow2/decompress.ts";
import { Qcow2Image, readHeader } from "./qcow2/image.ts";
import { RawImage } from "./raw-image.ts";

/** More layers than this is a chain that makes no sense; each one costs a lookup per read. */
const CHAIN_MAX_LAYERS = 256;

/** What opening needs of the host. Paths are opaque to this layer. */
export interface MediaHost {
  readonly decompressors: Decompressors;
  /** Opens an existing regular file. Read-only files may be open several times, a writable one only once; else AppError IN_USE. */
  openFile(path: string, readOnly: boolean): Promise<ImageFile>;
  /** The canonical path of the backing file `name` as seen from the image at `path`. */
  resolveBacking(path: string, name: string): Promise<string>;
  /** Whether the image at `path` may name the file at `backingPath`. */
  allowsBacking(path: string, backingPath: string): Promise<boolean>;
  /** The data of an encrypted image in the clear, its LUKS header being at `place`. Rejects with AppError without the key. */
  decrypted?(path: string, file: ImageFile, place: { offset: number; length: number }): Promise<ImageFile>;
}

export interface ImageReference {
  readonly path: string;
  readonly format: DiskFormat;
  readonly readOnly: boolean;
}

/** Opens `image` and, read-only, every layer below it. Nothing stays open when it throws. */
export async function openChain(host: MediaHost, image: ImageReference): Promise<Qcow2Image | RawImage> {
  return openLayer(host, image, []);
}

async function openLayer(
  host: MediaHost,
  image: ImageReference,
  above: readonly string[],
): Promise<Qcow2Image | RawImage> {
  const { path } = image;
  if (above.includes(path)) throw invalidImage(path, "backing file", "leads back to itself");
  if (above.length >= CHAIN_MAX_LAYERS)
    throw invalidImage(path, "backing file", `chain is over ${CHAIN_MAX_LAYERS} long`);
  const file = await host.openFile(path, image.readOnly);
  let backing: DiskImage | undefined;
  try {
    if (image.format === "raw") return await RawImage.open(file);
    const header = await readHeader(file);
    if (header.backing) {
      const reference = await backingReference(host, path, header.backing);
      backing = await openLayer(host, reference, [...above, path]);
    }
    const clearFile = header.encryption && (await host.decrypted?.(path, file, header.encryption));
    return await Qcow2Image.open(file, header, { decompressors: host.decompressors, backing, clearFile });
  } catch (error) {
    await backing?.close().catch(() => undefined);
    await file.close().catch(() => undefined);
    throw error;
  }
}

async function backingReference(
  host: MediaHost,
  path: string,
  backing: { name: string; format: string | undefined },
): Promise<ImageReference> {
  const { name, format } = backing;
  if (format !== "qcow2" && format !== "raw") {
    throw invalidImage(path, "backing file format", format === undefined ? "is not recorded" : `is ${format}`, {
      remedy: `Record it with \`qemu-img rebase -u -F qcow2 -b '${name}' ...\`, or convert the image to a stand-alone one.`,
    });
  }
  const backingPath = await host.resolveBacking(path, name);
  if (!(await host.allowsBacking(path, backingPath))) {
    throw new AppError("PERMISSION_DENIED", `${path} names a backing file outside of its own folder: ${name}`, {
      file: path,
      field: "backing file",
      consequence: "The image was not opened, because an image from elsewhere could name any file of yours.",
      remedy: "Put the backing file beside the image, or make a stand-alone image with `qemu-img convert -O qcow2`.",
    });
  }
  return { path: backingPath, format, readOnly: true };
}
