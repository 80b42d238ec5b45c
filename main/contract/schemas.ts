// The nouns of the control contract, as the renderer, the CLI and scripts see them.

import { z } from "zod";
import { ERROR_CODES } from "../../native-core/common/errors.ts";
import { machineConfigSchema } from "../../native-core/config/machine-config.ts";
import { engineCapabilitiesSchema, vmMetricsSchema } from "../../native-core/protocol/engine.ts";
import { leaseSchema } from "../../native-core/protocol/network.ts";
import { UNATTENDED_KINDS } from "./catalogue.ts";

/** Bumped with every incompatible change; checked when a client connects. */
export const CONTRACT_VERSION = 1;

export const MACHINE_STATES = [
  "powered-off",
  "saved",
  "aborted",
  "running",
  "paused",
  "starting",
  "stopping",
  "saving",
  "restoring",
  "snapshotting",
] as const;
const machineStateSchema = z.enum(MACHINE_STATES);
export type MachineState = z.infer<typeof machineStateSchema>;

/** Failures as data: cause, consequence and remedy, with the file and field they are about. */
export const failureSchema = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  file: z.string().optional(),
  field: z.string().optional(),
  consequence: z.string().optional(),
  remedy: z.string().optional(),
});
export type Failure = z.infer<typeof failureSchema>;

export const machineIdSchema = z.string().regex(/^[0-9a-f]{12}$/, "a machine id");
export const snapshotIdSchema = z.string().regex(/^[0-9a-f]{12}$/, "a snapshot id");

/** `linked`: shares the disk layers of its source, which stay as long as anybody uses them. `fork`: of a running machine, with its memory. */
export const CLONE_KINDS = ["full", "linked", "fork"] as const;
export type CloneKind = (typeof CLONE_KINDS)[number];

export const machineOriginSchema = z.strictObject({
  kind: z.enum(CLONE_KINDS),
  machineId: machineIdSchema,
  /** The source's name at that time. */
  machineName: z.string(),
});
export type MachineOrigin = z.infer<typeof machineOriginSchema>;

/** Why a snapshot is there: taken by the user, by the schedule, or before a risky act. */
export const SNAPSHOT_KINDS = ["user", "schedule", "safety"] as const;
export type SnapshotKind = (typeof SNAPSHOT_KINDS)[number];

export const machineSummarySchema = z.object({
  id: machineIdSchema,
  name: z.string(),
  osType: z.string(),
  /** Path of the group it is in, such as `Work/Servers`; "" for none. */
  group: z.string(),
  state: machineStateSchema,
  /** Name of the snapshot that the current state descends from. */
  currentSnapshotName: z.string().nullable(),
  /** Why the machine is `aborted`, or what the last start failed with. */
  lastFailure: failureSchema.nullable(),
  /** Not started itself but copied on demand. */
  template: z.boolean(),
  /** Whether its disks and states are encrypted, and if so, whether this session has the key. */
  encryption: z.enum(["none", "locked", "unlocked"]),
  createdAtMs: z.number(),
  /** Increments with every change of the machine's record, so that a client can tell stale answers. */
  revision: z.int(),
});
export type MachineSummary = z.infer<typeof machineSummarySchema>;

export const machineDetailsSchema = machineSummarySchema.extend({
  config: machineConfigSchema,
  folder: z.string(),
  capabilities: engineCapabilitiesSchema.nullable(),
  metrics: vmMetricsSchema.nullable(),
  startedAtMs: z.number().nullable(),
  /** What it was copied from. */
  origin: machineOriginSchema.nullable(),
  /** Disks with what they hold now. */
  disks: z.array(
    z.object({
      id: z.string(),
      file: z.string(),
      format: z.enum(["qcow2", "raw"]),
      readOnly: z.boolean(),
      sizeBytes: z.number(),
      usedBytes: z.number(),
    }),
  ),
});
export type MachineDetails = z.infer<typeof machineDetailsSchema>;

export const snapshotSchema = z.object({
  id: snapshotIdSchema,
  machineId: machineIdSchema,
  parentId: snapshotIdSchema.nullable(),
  name: z.string(),
  description: z.string(),
  takenAtMs: z.number(),
  withMemory: z.boolean(),
  /** Bytes on the host that only this snapshot holds. */
  ownBytes: z.number(),
  hasThumbnail: z.boolean(),
  pauseMs: z.number().nullable(),
  kind: z.enum(SNAPSHOT_KINDS),
  /** Kept whatever the retention rules say. */
  pinned: z.boolean(),
  /** Disks that a restore leaves as they are, because they are or were independent. */
  keptDisks: z.array(z.string()),
  /** Whether its memory, if any, goes with what is on those now. */
  memoryFits: z.boolean(),
});
export type Snapshot = z.infer<typeof snapshotSchema>;

const fileChangeSchema = z.object({
  path: z.string(),
  change: z.enum(["added", "changed", "removed"]),
  kind: z.enum(["file", "folder", "link", "other"]),
  sizeBefore: z.number().nullable(),
  sizeAfter: z.number().nullable(),
});
export type FileChange = z.infer<typeof fileChangeSchema>;

/** File systems of guests that can be looked into. */
const fileSystemSchema = z.enum(["ext4", "fat", "ntfs"]);

const partitionDiffSchema = z.object({
  /** As the guest numbers it; 0 is the whole disk. */
  number: z.int(),
  fileSystem: fileSystemSchema,
  label: z.string(),
  /** In the order of paths; `total` may be more. */
  changes: z.array(fileChangeSchema),
  total: z.int(),
  /** Why its files can't be compared. */
  problem: z.string().nullable(),
});
export type PartitionDiff = z.infer<typeof partitionDiffSchema>;

const diskDiffSchema = z.object({
  diskId: z.string(),
  /** `excluded`: a snapshot holds nothing of it. */
  change: z.enum(["same", "changed", "added", "removed", "excluded"]),
  /** Those with a file system that can be read. */
  partitions: z.array(partitionDiffSchema),
});
export type DiskDiff = z.infer<typeof diskDiffSchema>;

export const snapshotDiffSchema = z.object({
  settings: z.array(z.object({ path: z.string(), label: z.string(), before: z.unknown(), after: z.unknown() })),
  disks: z.array(diskDiffSchema),
});
export type SnapshotDiff = z.infer<typeof snapshotDiffSchema>;

/** A folder of a guest's file system as it was in a snapshot. */
export const snapshotFolderSchema = z.object({
  /** File systems to choose from. */
  places: z.array(
    z.object({ diskId: z.string(), partition: z.int(), fileSystem: fileSystemSchema, label: z.string() }),
  ),
  /** Those of the folder; null when no file system can be read. */
  diskId: z.string().nullable(),
  partition: z.int().nullable(),
  entries: z.array(
    z.object({
      name: z.string(),
      path: z.string(),
      kind: z.enum(["file", "folder", "link", "other"]),
      sizeBytes: z.number(),
      modifiedMs: z.number(),
    }),
  ),
});
export type SnapshotFolder = z.infer<typeof snapshotFolderSchema>;

/** A folder of this host that a machine shares with its guest. */
export const sharedListingSchema = snapshotFolderSchema.pick({ entries: true });
export type SharedListing = z.infer<typeof sharedListingSchema>;

/** Made by the user, or by the schedule, whose rule may delete it again. */
export const BACKUP_KINDS = ["user", "schedule"] as const;
export type BackupKind = (typeof BACKUP_KINDS)[number];

/** A backup in a backup folder. */
export const backupSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{12}$/, "a backup id"),
  machineId: machineIdSchema,
  machineName: z.string(),
  takenAtMs: z.number(),
  kind: z.enum(BACKUP_KINDS),
  /** Of its disks, as the guest sees them. */
  sizeBytes: z.number(),
  withMemory: z.boolean(),
});
export type Backup = z.infer<typeof backupSchema>;

const verifyProblemSchema = z.object({ file: z.string(), message: z.string() });
/** Damage of a machine, and what it takes away. */
export const machineProblemSchema = verifyProblemSchema.extend({
  part: z.enum(["disk", "memory", "picture"]),
  /** Snapshots that can't be restored as they were. */
  snapshots: z.array(z.object({ id: snapshotIdSchema, name: z.string() })),
  /** Whether the machine's disks or its saved state as they are now are hit. */
  present: z.boolean(),
  /** Whether it is whole again by now, and if not, why not. */
  repaired: z.boolean(),
  remark: z.string().nullable(),
});
export type MachineProblem = z.infer<typeof machineProblemSchema>;
/** `backupId`: one of the backups that can't be restored because of it. */
export const backupProblemSchema = verifyProblemSchema.extend({ backupId: z.string().nullable() });
export type BackupProblem = z.infer<typeof backupProblemSchema>;

/** Bytes of one machine. `hostBytes` is what its removal for good gives back: its present, its snapshots, its trash and other files. */
export const machineSpaceSchema = z.object({
  /** Sizes of its disks as the guest sees them. */
  guestBytes: z.number(),
  hostBytes: z.number(),
  /** Top layers of its disks and its saved state. */
  presentBytes: z.number(),
  /** Frozen layers and memory of snapshots. */
  snapshotBytes: z.number(),
  /** What only deleted snapshots and disks have, as long as that can be undone. */
  trashBytes: z.number(),
  /** Logs, pictures, its record. */
  otherBytes: z.number(),
  /** Layers and memory that other machines have, too. */
  sharedBytes: z.number(),
  /** Images that are used where they are. */
  elsewhereBytes: z.number(),
  /** Of its memory, what no state uses and reclaiming gives back; null where nobody asked. */
  unusedMemoryBytes: z.number().nullable(),
});
export type MachineSpace = z.infer<typeof machineSpaceSchema>;

/** What deleting a snapshot will do. Merging copies first and gives back afterwards. */
export const deletePreviewSchema = z.object({ freedBytes: z.number(), copiedBytes: z.number() });
export type DeletePreview = z.infer<typeof deletePreviewSchema>;

export const snapshotTreeSchema = z.object({
  snapshots: z.array(snapshotSchema),
  /** The snapshot under "Current State". */
  currentId: snapshotIdSchema.nullable(),
  /** Whether the machine differs from that snapshot. */
  currentChanged: z.boolean(),
});
export type SnapshotTree = z.infer<typeof snapshotTreeSchema>;

const TASK_STATES = ["running", "succeeded", "failed", "cancelled"] as const;
export const taskSchema = z.object({
  id: z.string(),
  title: z.string(),
  machineId: machineIdSchema.nullable(),
  state: z.enum(TASK_STATES),
  /** 0..1, or null while unknown. */
  progress: z.number().nullable(),
  cancellable: z.boolean(),
  failure: failureSchema.nullable(),
  startedAtMs: z.number(),
  endedAtMs: z.number().nullable(),
});
export type Task = z.infer<typeof taskSchema>;

/** Averages over one step of the history; rates are per second. */
const metricsSampleSchema = z.object({
  /** Begin of the step. */
  atMs: z.number(),
  cpuShare: z.number(),
  mips: z.number(),
  residentBytes: z.number(),
  guestBytes: z.number(),
  diskReadRate: z.number(),
  diskWriteRate: z.number(),
  /** Ways back from compiled code into the interpreter. */
  exitRate: z.number(),
  /** Of all network adapters; absent when there is none. */
  netReceiveRate: z.number().optional(),
  netSendRate: z.number().optional(),
});
export type MetricsSample = z.infer<typeof metricsSampleSchema>;

/** Oldest first; steps in which the machine did not run are left out. */
export const metricsHistorySchema = z.object({ stepS: z.int(), samples: z.array(metricsSampleSchema) });
export type MetricsHistory = z.infer<typeof metricsHistorySchema>;

/** Values by key; the renderer gives them their meaning. */
export const preferencesSchema = z.record(z.string().regex(/^[a-zA-Z][a-zA-Z0-9.]{0,63}$/, "a key"), z.unknown());

/** An image for an optical drive, and what a new machine for it would start with. */
export const mediumFactsSchema = z.object({
  label: z.string(),
  sizeBytes: z.number(),
  isIso: z.boolean(),
  bootsBios: z.boolean(),
  bootsUefi: z.boolean(),
  firmware: machineConfigSchema.shape.boot.shape.firmware,
  name: z.string(),
  osType: machineConfigSchema.shape.osType,
  memoryMiB: z.int(),
  /** 0: it needs none. */
  diskMiB: z.int(),
  cpuCount: z.int(),
  /** How its installer takes answers, or null. */
  unattended: z.enum(UNATTENDED_KINDS).nullable(),
});
export type MediumFacts = z.infer<typeof mediumFactsSchema>;

/** What changed; a client refetches or patches. Sent in order; `sequence` has no gaps within a connection. */
export const appEventSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("machine"), sequence: z.int(), machine: machineSummarySchema }),
  z.object({ kind: z.literal("machineRemoved"), sequence: z.int(), id: machineIdSchema }),
  z.object({ kind: z.literal("snapshots"), sequence: z.int(), machineId: machineIdSchema }),
  z.object({ kind: z.literal("task"), sequence: z.int(), task: taskSchema }),
  z.object({ kind: z.literal("preferences"), sequence: z.int(), changes: preferencesSchema }),
  z.object({
    kind: z.literal("metrics"),
    sequence: z.int(),
    machineId: machineIdSchema,
    metrics: vmMetricsSchema,
    sample: metricsSampleSchema,
  }),
]);
export type AppEvent = z.infer<typeof appEventSchema>;

/** A left-over is a file that a crash left behind; it can't be brought back. */
const TRASH_KINDS = ["machine", "snapshot", "disk", "left-over"] as const;

/** Something in the trash. A deleted snapshot or disk is there for as long as its machine keeps it (setting `snapshots.undoHours`). */
export const trashEntrySchema = z.object({
  name: z.string(),
  kind: z.enum(TRASH_KINDS),
  /** What a user calls it. */
  label: z.string(),
  /** Of a snapshot or disk the one that has it. */
  machineId: machineIdSchema.nullable(),
  machineName: z.string().nullable(),
  removedAtMs: z.number(),
  sizeBytes: z.number(),
});
export type TrashEntry = z.infer<typeof trashEntrySchema>;

/**
 * A disk image or disc that a machine has, or a left-over file in its folder (`diskId` null), such as a layer that waits to be merged. A
 * file that several machines use is there once for each.
 */
export const diskEntrySchema = z.object({
  file: z.string(),
  format: z.enum(["qcow2", "raw", "iso"]),
  missing: z.boolean(),
  /** What the guest sees. */
  sizeBytes: z.number(),
  /** What the file takes on the host, and what the layers that snapshots froze below it take. */
  usedBytes: z.number(),
  layerBytes: z.number(),
  machineId: machineIdSchema,
  machineName: z.string(),
  diskId: z.string().nullable(),
  readOnly: z.boolean(),
  inUse: z.boolean(),
  /** It was taken out of the machine: it can be put back or deleted. */
  detached: z.boolean(),
});
export type DiskEntry = z.infer<typeof diskEntrySchema>;

/** A network with its members: a NAT stands for those of all adapters, which don't see each other. */
export const networkViewSchema = z.object({
  kind: z.enum(["nat", "internal", "host-only"]),
  name: z.string(),
  hostAddress: z.string().nullable(),
  members: z.array(
    z.object({
      machineId: machineIdSchema,
      machineName: z.string(),
      adapterId: z.string(),
      mac: z.string(),
      isUp: z.boolean(),
    }),
  ),
  leases: z.array(leaseSchema),
});
export type NetworkView = z.infer<typeof networkViewSchema>;

export const hostInfoSchema = z.object({
  contractVersion: z.int(),
  appVersion: z.string(),
  platform: z.string(),
  cpuModel: z.string(),
  cpuCount: z.int(),
  memoryBytes: z.number(),
  freeMemoryBytes: z.number(),
  /** Share of all processors that is busy, averaged over a minute; 0 where the system does not tell. */
  cpuLoad: z.number(),
  freeDiskBytes: z.number(),
  home: z.string(),
  starterAvailable: z.boolean(),
  /** Entries the list was rebuilt from or that reconciliation repaired at this start, for the user to know. */
  notices: z.array(z.string()),
});
export type HostInfo = z.infer<typeof hostInfoSchema>;

export const logEntrySchema = z.object({
  atMs: z.number(),
  level: z.enum(["info", "warn", "error"]),
  message: z.string(),
});
export type LogEntry = z.infer<typeof logEntrySchema>;
