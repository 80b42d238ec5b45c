// Making a qcow2 disk larger or smaller. The new end reads as zeroes, whatever lies below: a shorter layer has nothing there.
//
// The L1 table grows inside its last cluster, which belongs to it: first what is behind it becomes zeroes, durably, then size and length
// of the table change in one sector. A kill leaves the old disk or the new one.
import { AppError } from "../../common/errors.ts";
import type { ImageFile } from "../image-file.ts";
import { ENTRY_SIZE } from "./entries.ts";
import { ENCRYPTION_LUKS, type Qcow2Header } from "./header.ts";

/** On an image that nobody has open. @throws AppError INVALID_ARGUMENT, UNSUPPORTED */
export async function growQcow2(file: ImageFile, header: Qcow2Header, sizeBytes: number): Promise<void> {
  requireLarger(file.name, header.sizeBytes, sizeBytes);
  const { clusterSize, l1Entries, l1Offset } = header;
  const entries = Math.ceil(sizeBytes / (clusterSize * (clusterSize / ENTRY_SIZE)));
  const room = Math.ceil((l1Entries * ENTRY_SIZE) / clusterSize) * clusterSize;
  if (entries * ENTRY_SIZE > room || header.snapshotCount > 0) {
    throw cannot(file, `${file.name} can't grow that far where it is`);
  }
  if (entries > l1Entries) {
    await file.write(l1Offset + l1Entries * ENTRY_SIZE, new Uint8Array((entries - l1Entries) * ENTRY_SIZE));
    await file.flush();
  }
  await writeSize(file, header, sizeBytes, Math.max(entries, l1Entries));
}

/**
 * On an image that nobody has open, whose end from `sizeBytes` on reads as zeroes by itself: entries behind the end stay, so that a disk that
 * grows again has zeroes there and not what is below. @throws AppError UNSUPPORTED
 */
export async function shrinkQcow2(file: ImageFile, header: Qcow2Header, sizeBytes: number): Promise<void> {
  if (header.snapshotCount > 0) throw cannot(file, `${file.name} has snapshots inside of it`);
  await writeSize(file, header, sizeBytes, header.l1Entries);
}

async function writeSize(file: ImageFile, header: Qcow2Header, sizeBytes: number, l1Entries: number): Promise<void> {
  // Bytes 24..39 of the header: disk size, encryption, entries of the L1 table.
  const change = new Uint8Array(16);
  const view = new DataView(change.buffer);
  if (header.encryption) view.setUint32(8, ENCRYPTION_LUKS);
  view.setBigUint64(0, BigInt(sizeBytes));
  view.setUint32(12, l1Entries);
  await file.write(24, change);
  await file.flush();
}

function cannot(file: ImageFile, message: string): AppError {
  return new AppError("UNSUPPORTED", message, {
    file: file.name,
    field: "sizeMiB",
    consequence: "The disk stays as it is.",
    remedy: "Convert it with `qemu-img convert -O qcow2`, or make a new disk.",
  });
}

/** The same for a raw image, whose file is the disk. */
export async function growRaw(file: ImageFile, sizeBytes: number): Promise<void> {
  requireLarger(file.name, await file.size(), sizeBytes);
  await file.truncate(sizeBytes);
  await file.flush();
}

function requireLarger(file: string, from: number, to: number): void {
  if (to > from) return;
  throw new AppError("INVALID_ARGUMENT", `The disk has ${from} bytes already; it can only become larger`, {
    file,
    field: "sizeMiB",
    consequence: "The disk stays as it is.",
    remedy: "Give a larger size.",
  });
}
