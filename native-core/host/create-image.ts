// New disk images: in the clear, or encrypted for whoever has the secret.
import type { ImageFile } from "../media/image-file.ts";
import { createQcow2 } from "../media/qcow2/create.ts";
import type { BackingReference } from "../media/qcow2/header-writer.ts";
import { EncryptedFile } from "./crypt/encrypted-file.ts";
import { createLuks, LUKS_BYTES } from "./crypt/luks.ts";

/** Formats an empty file as `createQcow2` does. Yields, of an encrypted image, the file as its data are read and written. */
export async function createImage(
  file: ImageFile,
  sizeBytes: number,
  backing: BackingReference | undefined,
  secret: string | undefined,
): Promise<ImageFile | undefined> {
  if (secret === undefined) {
    await createQcow2(file, sizeBytes, backing);
    return undefined;
  }
  const { header, cipher } = createLuks(secret);
  await createQcow2(file, sizeBytes, backing, { header, lengthBytes: LUKS_BYTES });
  return new EncryptedFile(file, cipher);
}
