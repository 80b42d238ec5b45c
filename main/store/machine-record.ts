// What Terrarium knows of a machine besides the bytes of its disks: `machine.json` beside them, and rows in the database.
// Paths are relative to the machine's folder, so that a folder can be moved, copied or restored from a backup as it is.
import { z } from "zod";
import { diskSchema, machineConfigSchema } from "../../native-core/config/machine-config.ts";
import { wrappedKeySchema } from "../../native-core/host/crypt/machine-key.ts";
import {
  failureSchema,
  machineIdSchema,
  machineOriginSchema,
  SNAPSHOT_KINDS,
  snapshotIdSchema,
} from "../contract/schemas.ts";

export const RECORD_VERSION = 1;

/** A path inside the machine's folder: never absolute, never upwards. */
const innerPath = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^(?!\/)(?![A-Za-z]:)(?!.*(?:^|[\\/])\.\.(?:[\\/]|$)).*$/, "a path inside the machine's folder");

const layerSchema = z.strictObject({
  diskId: z.string(),
  /** As in the configuration: inside the folder, or absolute for an image used where it is. */
  file: z.string().min(1).max(4096),
  format: z.enum(["qcow2", "raw"]),
});
export type Layer = z.infer<typeof layerSchema>;

const snapshotRecordSchema = z.strictObject({
  id: snapshotIdSchema,
  parentId: snapshotIdSchema.nullable(),
  name: z.string().min(1).max(128),
  description: z.string().max(65536),
  takenAtMs: z.number(),
  /** The configuration of that moment; restoring brings it back, with new top layers. */
  config: machineConfigSchema,
  /** The disk layers it froze. They are never written again while a snapshot or another layer stands on them. */
  layers: z.array(layerSchema),
  /** The engine's state folder, or null for a snapshot of a machine that was off. */
  memory: innerPath.nullable(),
  pauseMs: z.number().nullable(),
  writtenBytes: z.number(),
  hasThumbnail: z.boolean(),
  /** Why it is there: taken by the user, by the schedule, or before a risky act. */
  kind: z.enum(SNAPSHOT_KINDS).default("user"),
  /** Kept whatever the retention rules say. */
  pinned: z.boolean().default(false),
  /** Taken for a copy or a backup, after which it goes again; should the host end before, with the next start. */
  transient: z.boolean().default(false),
  /** Since when it is in the trash: nobody sees it, and everything it holds stays until it is purged. */
  deletedAtMs: z.number().nullable().default(null),
});
export type SnapshotRecord = z.infer<typeof snapshotRecordSchema>;

/** A disk that was taken out of the machine: it can be put back until somebody deletes it. */
const detachedDiskSchema = z.strictObject({
  disk: diskSchema,
  detachedAtMs: z.number(),
  /** Since when it is in the trash. */
  deletedAtMs: z.number().nullable().default(null),
});
export type DetachedDisk = z.infer<typeof detachedDiskSchema>;

/** Recorded before an engine is asked for something that can't be undone by forgetting it; read by reconciliation. */
const pendingSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("snapshot"),
    snapshot: snapshotRecordSchema,
    /** New top layers. Once one exists, the guest may have written to it. */
    overlays: z.array(layerSchema),
  }),
  z.strictObject({ kind: z.literal("save"), folder: innerPath }),
  /** Disks and states are being written anew, encrypted or in the clear; `made` are the new ones, which count for nothing yet. */
  z.strictObject({ kind: z.literal("recode"), made: z.array(innerPath) }),
]);
export type Pending = z.infer<typeof pendingSchema>;

const DURABLE_STATES = ["powered-off", "saved", "aborted", "running"] as const;

export const machineRecordSchema = z.strictObject({
  recordVersion: z.literal(RECORD_VERSION),
  id: machineIdSchema,
  /** Grows with every change; of two versions the higher one is the newer. */
  revision: z.int().min(0),
  createdAtMs: z.number(),
  config: machineConfigSchema,
  /** `running` means that a VM process may have written to the disks since. */
  state: z.enum(DURABLE_STATES),
  savedState: innerPath.nullable(),
  currentSnapshotId: snapshotIdSchema.nullable(),
  changedSinceSnapshot: z.boolean(),
  lastFailure: failureSchema.nullable(),
  /** Read-only: it is not started itself but copied on demand. */
  template: z.boolean().default(false),
  /** What it was copied from. */
  origin: machineOriginSchema.nullable().default(null),
  /** Tells the guest that it is not the one it was (VMGenID); null until the first start. Hexadecimal, 128 bits. */
  generationId: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .nullable()
    .default(null),
  pending: pendingSchema.nullable(),
  /** Of an encrypted machine: its key, itself encrypted with a key made of the passphrase. */
  encryption: wrappedKeySchema.nullable().default(null),
  /** Files and folders whose contents are elsewhere now, to be deleted: what was there before the machine was encrypted must not stay. */
  superseded: z.array(innerPath).default([]),
  /** Its own images that are not in it any more, or not now. */
  detachedDisks: z.array(detachedDiskSchema).default([]),
  snapshots: z.array(snapshotRecordSchema),
});
export type MachineRecord = z.infer<typeof machineRecordSchema>;
