// The catalogue of operating systems (resources/catalogue) as its files, the services and the interface see it, and the discs that were
// downloaded. Checksums are taken from the publisher at the time of the download, unless the file itself never changes.

import { z } from "zod";
import {
  CPUS_MAX,
  MEMORY_MAX_MIB,
  MEMORY_MIN_MIB,
  machineConfigSchema,
} from "../../native-core/config/machine-config.ts";

/** How a system takes answers that nobody has to type: the format of the answers and how they get to its installer. */
export const UNATTENDED_KINDS = ["preseed", "autoinstall", "cloud-init", "autounattend"] as const;
const unattendedKindSchema = z.enum(UNATTENDED_KINDS);
export type UnattendedKind = z.infer<typeof unattendedKindSchema>;

/** Only what can't be changed on the way; the loopback is for mirrors of one's own and for tests. */
const addressSchema = z.string().regex(/^(https:\/\/[^/]+|http:\/\/127\.0\.0\.1:\d+)\//, "an https address");
const regexSchema = z.string().refine((text) => {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}, "a regular expression");
const idSchema = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, "small letters, digits, dots and dashes");

const hardware = {
  memoryMiB: z.int().min(MEMORY_MIN_MIB).max(MEMORY_MAX_MIB),
  /** 0: it needs none. */
  diskMiB: z.int().min(0),
};

/** Something to download. `file` matches the one name in the publisher's list of checksums that is meant: names carry versions. */
const releaseSchema = z.strictObject({
  id: idSchema,
  name: z.string().min(1),
  architecture: z.literal("x86_64"),
  /** A disc to boot from, or the image of a disk that is installed already. */
  kind: z.enum(["disc", "disk"]),
  folder: addressSchema.refine((url) => url.endsWith("/"), "an address that ends with a slash"),
  file: regexSchema,
  /** Name of the list of checksums in `folder`, in the format of sha256sum(1) or of BSD. */
  checksums: z.string().min(1),
  /** About how large, to show before it is known. */
  sizeMiB: z.int().min(1),
  unattended: unattendedKindSchema.nullable(),
  memoryMiB: hardware.memoryMiB.optional(),
  diskMiB: hardware.diskMiB.optional(),
});
export type CatalogueRelease = z.infer<typeof releaseSchema>;

const systemSchema = z.strictObject({
  id: idSchema,
  name: z.string().min(1),
  /** Tried on a disc's label and file name together, ignoring case; the first system of the catalogue that matches is it. */
  recognize: regexSchema,
  osType: machineConfigSchema.shape.osType,
  ...hardware,
  cpuCount: z.int().min(1).max(CPUS_MAX),
  firmware: machineConfigSchema.shape.boot.shape.firmware,
  /** What its discs take; a release may differ. */
  unattended: unattendedKindSchema.nullable(),
  /** Where people read about it, and get discs that can't be downloaded without a visit. */
  page: addressSchema,
  releases: z.array(releaseSchema),
});
export type CatalogueSystem = z.infer<typeof systemSchema>;

export const catalogueSchema = z.strictObject({ version: z.literal(1), systems: z.array(systemSchema) });

/** A system as clients see it: each release with the file that was downloaded, or null. */
export const catalogueViewSchema = z.array(
  z
    .object(systemSchema.shape)
    .omit({ recognize: true, releases: true })
    .extend({
      releases: z.array(
        z
          .object(releaseSchema.shape)
          .omit({ file: true, checksums: true })
          .extend({ downloaded: z.string().nullable(), memoryMiB: hardware.memoryMiB, diskMiB: hardware.diskMiB }),
      ),
    }),
);
export type CatalogueView = z.infer<typeof catalogueViewSchema>;

/** A file in the folder of downloads; a partial one is continued by the next download. */
export const downloadEntrySchema = z.object({
  name: z.string(),
  file: z.string(),
  releaseId: z.string().nullable(),
  complete: z.boolean(),
  sizeBytes: z.number(),
  /** Machines that have it in a drive. */
  usedBy: z.array(z.string()),
});
export type DownloadEntry = z.infer<typeof downloadEntrySchema>;
