// New qcow2 images as Terrarium makes them: version 3, 64 KiB clusters, 16-bit counts, no lazy refcounts.
//
//   cluster 0 header   1 refcount table   2 refcount block   3.. L1 table   then the LUKS header of an encrypted image
//
// The header is written last, so a half-made file is not an image.
import { AppError } from "../../common/errors.ts";
import type { ImageFile } from "../image-file.ts";
import { type BackingReference, encodeBackingName, encodeHeader, nameSlot } from "./header-writer.ts";

const CLUSTER_BITS = 16;
const CLUSTER = 1 << CLUSTER_BITS;
const DISK_MAX_BYTES = 64 * 2 ** 40;

/** The key of an encrypted image, as the image keeps it. */
export interface ImageEncryption {
  /** The LUKS header with its key slots. */
  readonly header: Uint8Array;
  /** How much room to leave for it. */
  readonly lengthBytes: number;
}

/** Formats an empty file. With `backing` the disk reads as that one until it is written. Durable when it settles. */
export async function createQcow2(
  file: ImageFile,
  sizeBytes: number,
  backing?: BackingReference,
  encryption?: ImageEncryption,
): Promise<void> {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % 512 !== 0 || sizeBytes > DISK_MAX_BYTES) {
    throw new AppError("INVALID_ARGUMENT", `a disk can't have ${sizeBytes} bytes`, {
      field: "sizeBytes",
      remedy: "Choose a multiple of 512 bytes up to 64 TiB.",
    });
  }
  const l1Entries = Math.ceil(sizeBytes / (CLUSTER * (CLUSTER / 8)));
  const l1Clusters = Math.ceil((l1Entries * 8) / CLUSTER);
  const luksOffset = (3 + l1Clusters) * CLUSTER;
  const used = 3 + l1Clusters + Math.ceil((encryption?.lengthBytes ?? 0) / CLUSTER);

  const tableEntry = new Uint8Array(8);
  new DataView(tableEntry.buffer).setBigUint64(0, BigInt(2 * CLUSTER));
  const counts = new Uint8Array(used * 2);
  for (let cluster = 0; cluster < used; cluster++) new DataView(counts.buffer).setUint16(cluster * 2, 1);
  await file.truncate(used * CLUSTER);
  await file.write(CLUSTER, tableEntry);
  await file.write(2 * CLUSTER, counts);
  if (encryption) await file.write(luksOffset, encryption.header);
  const nameOffset = nameSlot(CLUSTER, undefined);
  if (backing) await file.write(nameOffset, encodeBackingName(file.name, backing.name));
  await file.flush();

  const header = encodeHeader(
    {
      clusterBits: CLUSTER_BITS,
      sizeBytes,
      l1Entries,
      l1Offset: 3 * CLUSTER,
      refcountTableOffset: CLUSTER,
      refcountTableClusters: 1,
      encryption: encryption && { offset: luksOffset, length: encryption.lengthBytes },
    },
    backing && { ...backing, nameOffset },
  );
  await file.write(0, header);
  await file.flush();
}
