// The control contract: every command of the app, once. GUI, CLI and OpenAPI call the same entries; both sides validate.
// Transports: MessagePort (Electron) and WebSocket or HTTP (Node host), see main/web-host and main/desktop.

import { eventIterator, oc } from "@orpc/contract";
import { z } from "zod";
import {
  DISK_BUSES,
  groupSchema,
  machineConfigSchema,
  PLUGGABLE_BUSES,
} from "../../native-core/config/machine-config.ts";
import { ADAPTER_MODELS } from "../../native-core/config/network-settings.ts";
import { vmProfileSchema } from "../../native-core/protocol/engine.ts";
import { adapterStatusSchema } from "../../native-core/protocol/network.ts";
import { catalogueViewSchema, downloadEntrySchema } from "./catalogue.ts";
import { HANDED_PIECE_BYTES } from "./handed.ts";
import {
  appEventSchema,
  backupProblemSchema,
  backupSchema,
  deletePreviewSchema,
  diskEntrySchema,
  failureSchema,
  hostInfoSchema,
  logEntrySchema,
  machineDetailsSchema,
  machineIdSchema,
  machineProblemSchema,
  machineSpaceSchema,
  machineSummarySchema,
  mediumFactsSchema,
  metricsHistorySchema,
  networkViewSchema,
  preferencesSchema,
  sharedListingSchema,
  snapshotDiffSchema,
  snapshotFolderSchema,
  snapshotIdSchema,
  snapshotSchema,
  snapshotTreeSchema,
  taskSchema,
  trashEntrySchema,
} from "./schemas.ts";
import { consoleMatchSchema } from "./search.ts";
import { unattendedSchema } from "./unattended.ts";

/** All expected failures travel as one typed error whose data is the failure. */
const base = oc.errors({
  FAILURE: { status: 422, message: "The request could not be carried out", data: failureSchema },
});

const passphrase = z.string().min(1).max(1024);
/** Short ones are tried out in no time, whatever is done with them. */
const newPassphrase = z.string().min(8, "at least 8 characters").max(1024);
const byMachine = z.object({ id: machineIdSchema });
const nothing = z.object({});
/** An absolute path of the host. */
const folderPath = z.string().min(1).max(4096);
/** How many copies one command makes. */
const copyCount = z.int().min(1).max(100).default(1);

/** A new disk (`sizeMiB`), an existing image, which is used where it is, or a copy of one, at least so large. */
export const newDiskSchema = z.union([
  z.strictObject({
    sizeMiB: z
      .int()
      .min(1)
      .max(2 * 1024 * 1024),
  }),
  z.strictObject({ file: z.string().min(1).max(4096) }),
  z.strictObject({ copyOf: z.string().min(1).max(4096), sizeMiB: z.int().min(0).optional() }),
]);

/** A file or folder in a shared folder. */
const sharedPlace = byMachine.extend({ name: z.string().min(1).max(64), path: z.string().min(1).max(4096) });

/** By which name `trash.restore` undoes a deletion, and until when; null: not at all. */
const undoable = z.object({ undo: z.object({ name: z.string(), untilMs: z.number() }).nullable() });

/** A file or folder of a snapshot; without disk and partition the first that has it. */
const filePlace = z.object({
  snapshotId: snapshotIdSchema,
  diskId: z.string().optional(),
  partition: z.coerce.number().int().min(0).optional(),
  path: z.string().min(1).max(4096),
});

const uploadSchema = z.string().regex(/^[\w-]{8,64}$/, "letters, digits, - and _");
const pieceSchema = z.base64().max(Math.ceil(HANDED_PIECE_BYTES / 3) * 4);

export const contract = {
  host: {
    info: base.route({ method: "GET", path: "/host" }).output(hostInfoSchema),
    /** Ends the host: refused while machines run unless `stopMachines` says how to stop them. */
    shutdown: base
      .route({ method: "POST", path: "/host/shutdown" })
      .input(z.object({ stopMachines: z.enum(["refuse", "save", "power-off"]).default("refuse") }))
      .output(nothing),
  },
  events: {
    /** Changes from now on. */
    subscribe: base.route({ method: "GET", path: "/events" }).output(eventIterator(appEventSchema)),
  },
  machines: {
    list: base.route({ method: "GET", path: "/machines" }).output(z.array(machineSummarySchema)),
    get: base.route({ method: "GET", path: "/machines/{id}" }).input(byMachine).output(machineDetailsSchema),
    /** Starter Linux with its persistent disk; the name is made unique when it is left out. */
    createStarter: base
      .route({ method: "POST", path: "/machines/starter" })
      .input(
        z.object({
          name: z.string().optional(),
          description: z.string().optional(),
          memoryMiB: z.int().optional(),
          cpuCount: z.int().optional(),
        }),
      )
      .output(machineDetailsSchema),
    create: base
      .route({ method: "POST", path: "/machines" })
      .input(
        z.object({
          name: z.string(),
          description: z.string().default(""),
          memoryMiB: z.int().default(256),
          cpuCount: z.int().default(1),
          /** Null: it boots from its disks and discs, through firmware. */
          kernel: z.string().nullable().default(null),
          initrd: z.string().nullable().default(null),
          commandLine: z.string().default(""),
          disks: z.array(newDiskSchema).default([]),
          /** An ISO image for its optical drive. */
          iso: z.string().min(1).max(4096).nullable().default(null),
          osType: machineConfigSchema.shape.osType.default("linux"),
          firmware: machineConfigSchema.shape.boot.shape.firmware,
          /**
           * From the network, when its disks have nothing to boot: this file of the host, which the NAT offers with all that is in its folder;
           * "" is what others on its network offer.
           */
          networkBoot: z.string().max(4096).nullable().default(null),
          chipset: machineConfigSchema.shape.chipset,
          /** What its disks hang on. */
          diskBus: z.enum(DISK_BUSES).default("virtio"),
          /** Of its network adapter. */
          adapterModel: z.enum(ADAPTER_MODELS).default("virtio"),
          /** The disc's installer, or the system on the copied disk at its first start, asks nothing then. */
          unattended: unattendedSchema.nullable().default(null),
        }),
      )
      .output(machineDetailsSchema),
    /**
     * Replaces the configuration; fields that may not change in the present state are refused by name. With the `revision` that the old one
     * was read with, nothing is changed when the machine has changed since.
     */
    configure: base
      .route({ method: "PUT", path: "/machines/{id}/config" })
      .input(byMachine.extend({ config: machineConfigSchema, revision: z.int().optional() }))
      .output(machineDetailsSchema.extend({ safetySnapshotId: snapshotIdSchema.nullable() })),
    /** Adds a disk to a machine that is off, or plugs a virtio, SCSI or USB disk into one that runs. */
    addDisk: base
      .route({ method: "POST", path: "/machines/{id}/disks" })
      .input(byMachine.extend({ disk: newDiskSchema, bus: z.enum(PLUGGABLE_BUSES).default("virtio") }))
      .output(machineDetailsSchema),
    /**
     * Takes a disk out; its file stays. Not removed: the running guest uses it and was asked to let it go, which it may do later. `force`
     * takes it away all the same. `attachDisk` puts `file`, its image, back.
     */
    removeDisk: base
      .route({ method: "DELETE", path: "/machines/{id}/disks/{diskId}" })
      .input(byMachine.extend({ diskId: z.string(), force: z.boolean().default(false) }))
      .output(z.object({ removed: z.boolean(), file: z.string().nullable() })),
    /** Puts a disk back that was taken out; `file` as in the list of disk images. */
    attachDisk: base
      .route({ method: "POST", path: "/machines/{id}/disks/attach" })
      .input(byMachine.extend({ file: folderPath }))
      .output(machineDetailsSchema),
    /**
     * Copies of the machine that is off or saved, or of one of its snapshots. `linked` ones share its disk layers and take no time and no
     * space; they stay whole whatever happens to the source. Several get a number behind their name.
     */
    clone: base
      .route({ method: "POST", path: "/machines/{id}/clone" })
      .input(
        byMachine.extend({
          name: z.string(),
          kind: z.enum(["full", "linked"]).default("full"),
          snapshotId: snapshotIdSchema.nullable().default(null),
          count: copyCount,
        }),
      )
      .output(z.array(machineDetailsSchema)),
    /** Copies of a running machine that go on from the same instant as it does. */
    fork: base
      .route({ method: "POST", path: "/machines/{id}/fork" })
      .input(byMachine.extend({ name: z.string().optional(), count: copyCount, start: z.boolean().default(true) }))
      .output(z.array(machineDetailsSchema)),
    /** A template is not started itself: it is there to be cloned, and nothing changes it meanwhile. */
    setTemplate: base
      .route({ method: "PUT", path: "/machines/{id}/template" })
      .input(byMachine.extend({ template: z.boolean() }))
      .output(machineDetailsSchema),
    /** Makes a disk of a machine that is off larger, or smaller where its end is free. */
    resizeDisk: base
      .route({ method: "PUT", path: "/machines/{id}/disks/{diskId}/size" })
      .input(
        byMachine.extend({
          diskId: z.string(),
          sizeMiB: z
            .int()
            .min(1)
            .max(4 * 1024 * 1024),
        }),
      )
      .output(machineDetailsSchema.extend({ safetySnapshotId: snapshotIdSchema.nullable() })),
    /** What it takes up, and where. `deeply`: also what of its memory is not used any more, which takes longer. */
    space: base
      .route({ method: "GET", path: "/machines/{id}/space" })
      .input(byMachine.extend({ deeply: z.union([z.boolean(), z.stringbool()]).default(false) }))
      .output(machineSpaceSchema),
    /** Gives the host back what the machine does not need; disks are compacted while it is off or saved. */
    reclaim: base
      .route({ method: "POST", path: "/machines/{id}/reclaim" })
      .input(byMachine)
      .output(z.object({ freedBytes: z.number() })),
    /** One file with the machine and its disks, also of a running one; a new file at an absolute path of the host. */
    export: base
      .route({ method: "POST", path: "/machines/{id}/export" })
      .input(byMachine.extend({ file: folderPath, memory: z.boolean().default(false) }))
      .output(z.object({ sizeBytes: z.number() })),
    /** A new machine of an exported file. */
    import: base
      .route({ method: "POST", path: "/machines/import" })
      .input(z.object({ file: folderPath, name: z.string().optional() }))
      .output(machineDetailsSchema),
    /**
     * Reads and checks its disks and memory states; what a running machine writes to is skipped. `repair`: takes what is damaged from wherever
     * the same contents still are, also from the backups in the folders that machines are set to, and in `backupFolder`.
     */
    verify: base
      .route({ method: "POST", path: "/machines/{id}/verify" })
      .input(byMachine.extend({ repair: z.boolean().default(false), backupFolder: folderPath.optional() }))
      .output(
        z.object({ checkedFiles: z.int(), skipped: z.array(z.string()), problems: z.array(machineProblemSchema) }),
      ),
    /** Moves the machine's folder to the trash of the data folder (or deletes it with `permanently`). */
    remove: base
      .route({ method: "DELETE", path: "/machines/{id}" })
      .input(byMachine.extend({ permanently: z.boolean().default(false) }))
      .output(nothing),
    /** Brings back a machine that `remove` moved to the trash. */
    undoRemove: base
      .route({ method: "POST", path: "/machines/{id}/undo-remove" })
      .input(byMachine)
      .output(machineDetailsSchema),

    /** Yields the snapshot that was taken because it boots from another disc than before. */
    start: base
      .route({ method: "POST", path: "/machines/{id}/start" })
      /** `bootMenu`: firmware waits ten seconds for Esc, which opens its boot menu. */
      .input(byMachine.extend({ bootMenu: z.boolean().optional() }))
      .output(z.object({ safetySnapshotId: snapshotIdSchema.nullable() })),
    pause: base.route({ method: "POST", path: "/machines/{id}/pause" }).input(byMachine).output(nothing),
    resume: base.route({ method: "POST", path: "/machines/{id}/resume" }).input(byMachine).output(nothing),
    reset: base.route({ method: "POST", path: "/machines/{id}/reset" }).input(byMachine).output(nothing),
    encrypt: base
      .route({ method: "POST", path: "/machines/{id}/encrypt" })
      .input(byMachine.extend({ passphrase: newPassphrase }))
      .output(nothing),
    decrypt: base
      .route({ method: "POST", path: "/machines/{id}/decrypt" })
      .input(byMachine.extend({ passphrase }))
      .output(nothing),
    unlock: base
      .route({ method: "POST", path: "/machines/{id}/unlock" })
      .input(byMachine.extend({ passphrase }))
      .output(nothing),
    lock: base.route({ method: "POST", path: "/machines/{id}/lock" }).input(byMachine).output(nothing),
    changePassphrase: base
      .route({ method: "POST", path: "/machines/{id}/passphrase" })
      .input(byMachine.extend({ passphrase, newPassphrase }))
      .output(nothing),
    diskSecret: base
      .route({ method: "POST", path: "/machines/{id}/disk-secret" })
      .input(byMachine.extend({ passphrase }))
      .output(z.object({ secret: z.string() })),
    stop: base
      .route({ method: "POST", path: "/machines/{id}/stop" })
      .input(byMachine.extend({ how: z.enum(["acpi", "save", "power-off"]) }))
      .output(nothing),
    /** Throws a saved state away. */
    discardSavedState: base.route({ method: "POST", path: "/machines/{id}/discard" }).input(byMachine).output(nothing),

    /** PNG of the screen: live while running, else the last one kept. */
    screenshot: base
      .route({ method: "GET", path: "/machines/{id}/screenshot" })
      .input(byMachine.extend({ thumbnail: z.boolean().default(false) }))
      .output(z.object({ pngBase64: z.string(), width: z.int(), height: z.int() })),
    /** Types text into a serial port. */
    sendText: base
      .route({ method: "POST", path: "/machines/{id}/serial" })
      .input(
        byMachine.extend({
          port: z.int().min(0).max(1).default(0),
          text: z.string().max(65536),
        }),
      )
      .output(nothing),
    /** Waits until the serial output since power-on (or since `fromOffset`) matches; the offset after the match comes back. */
    waitForOutput: base
      .route({ method: "POST", path: "/machines/{id}/serial/wait" })
      .input(
        byMachine.extend({
          port: z.int().min(0).max(1).default(0),
          pattern: z.string().max(4096),
          timeoutMs: z.number().min(0).max(86_400_000),
          fromOffset: z.number().default(0),
        }),
      )
      .output(z.object({ match: z.string(), groups: z.array(z.string()), offset: z.number() })),
    /** Lines that the machines printed on their serial consoles, newest first; at most 100 of each machine. */
    searchConsoles: base
      .route({ method: "POST", path: "/consoles/search" })
      .input(
        z.object({
          text: z.string().min(2).max(1000),
          isRegex: z.boolean().default(false),
          machineId: machineIdSchema.optional(),
        }),
      )
      .output(z.array(consoleMatchSchema)),
    /** Watches a running machine and tells where its time goes. */
    profile: base
      .route({ method: "GET", path: "/machines/{id}/profile" })
      .input(byMachine.extend({ seconds: z.coerce.number().min(0.1).max(60).default(5) }))
      .output(vmProfileSchema),
    /** Figures of the last seconds up to a day, at the finest resolution that is kept for that long. */
    metricsHistory: base
      .route({ method: "GET", path: "/machines/{id}/metrics" })
      .input(byMachine.extend({ spanS: z.coerce.number().int().min(10).max(86_400).default(600) }))
      .output(metricsHistorySchema),
    /** Puts machines into a group (`Work/Servers`); "" takes them out. */
    moveToGroup: base
      .route({ method: "POST", path: "/machines/group" })
      .input(z.object({ ids: z.array(machineIdSchema).max(10_000), group: groupSchema }))
      .output(nothing),
    /** Renames a group with the groups in it; an empty new name dissolves it. */
    renameGroup: base
      .route({ method: "POST", path: "/groups/rename" })
      .input(z.object({ from: groupSchema.min(1), to: groupSchema }))
      .output(nothing),
    log: base
      .route({ method: "GET", path: "/machines/{id}/log" })
      .input(byMachine.extend({ limit: z.int().min(1).max(10_000).default(1000) }))
      .output(z.array(logEntrySchema)),
  },
  snapshots: {
    tree: base.route({ method: "GET", path: "/machines/{id}/snapshots" }).input(byMachine).output(snapshotTreeSchema),
    take: base
      .route({ method: "POST", path: "/machines/{id}/snapshots" })
      .input(byMachine.extend({ name: z.string().max(128).optional(), description: z.string().max(65536).default("") }))
      .output(snapshotSchema),
    /** Back to a snapshot; a running machine is stopped first and starts again when the snapshot has memory. `keepCurrent` takes one of now before. */
    restore: base
      .route({ method: "POST", path: "/snapshots/{snapshotId}/restore" })
      .input(
        z.object({
          snapshotId: snapshotIdSchema,
          keepCurrent: z.boolean().default(false),
          start: z.boolean().optional(),
          /** Left out: as `if-safe`, but refused where independent disks are newer than the memory. */
          memory: z.enum(["if-safe", "always", "never"]).optional(),
        }),
      )
      .output(z.object({ keptSnapshotId: snapshotIdSchema.nullable() })),
    /** Children are kept: what they read of the deleted snapshot is merged into them, once it can't be undone any more. */
    delete: base
      .route({ method: "DELETE", path: "/snapshots/{snapshotId}" })
      .input(z.object({ snapshotId: snapshotIdSchema, permanently: z.boolean().default(false) }))
      .output(undoable),
    /** Gives up its memory and keeps its disks: it restores as after a power failure then. */
    dropMemory: base
      .route({ method: "DELETE", path: "/snapshots/{snapshotId}/memory" })
      .input(z.object({ snapshotId: snapshotIdSchema }))
      .output(snapshotSchema),
    update: base
      .route({ method: "PATCH", path: "/snapshots/{snapshotId}" })
      .input(
        z.object({
          snapshotId: snapshotIdSchema,
          name: z.string().min(1).max(128).optional(),
          description: z.string().max(65536).optional(),
          pinned: z.boolean().optional(),
        }),
      )
      .output(snapshotSchema),
    /** Settings and files that differ from a snapshot to another one, or to now (`toSnapshotId` null). */
    diff: base
      .route({ method: "GET", path: "/snapshots/{snapshotId}/diff" })
      .input(z.object({ snapshotId: snapshotIdSchema, toSnapshotId: snapshotIdSchema.nullable().default(null) }))
      .output(snapshotDiffSchema),
    /** A piece of a file as it was in the snapshot; `nextOffset` asks for the next one. */
    readFile: base
      .route({ method: "GET", path: "/snapshots/{snapshotId}/file" })
      .input(filePlace.extend({ offset: z.number().min(0).default(0) }))
      .output(z.object({ base64: z.string(), nextOffset: z.number().nullable() })),
    /** A folder as it was in the snapshot, with the file systems to choose from. */
    listFolder: base
      .route({ method: "GET", path: "/snapshots/{snapshotId}/folder" })
      .input(filePlace)
      .output(snapshotFolderSchema),
    /** Puts a file as it was onto a disc in the machine's first drive. `changed` false: the guest keeps another disc there. */
    handToGuest: base
      .route({ method: "POST", path: "/snapshots/{snapshotId}/hand-to-guest" })
      .input(filePlace)
      .output(z.object({ changed: z.boolean(), file: z.string() })),
    /** What deleting it will give back and what has to be copied for that. */
    previewDelete: base
      .route({ method: "GET", path: "/snapshots/{snapshotId}/delete-preview" })
      .input(z.object({ snapshotId: snapshotIdSchema }))
      .output(deletePreviewSchema),
    /** Deletes the snapshots that the machine's retention rules don't keep, and lists them; with `dryRun` it only lists them. */
    prune: base
      .route({ method: "POST", path: "/machines/{id}/snapshots/prune" })
      .input(byMachine.extend({ dryRun: z.boolean().default(false) }))
      .output(z.array(snapshotSchema)),
    thumbnail: base
      .route({ method: "GET", path: "/snapshots/{snapshotId}/thumbnail" })
      .input(z.object({ snapshotId: snapshotIdSchema }))
      .output(z.object({ pngBase64: z.string() }).nullable()),
  },
  sharedFolders: {
    /** What is in a folder below the shared folder `name`; "/" is that folder itself. Folders are shared by `machines.configure`. */
    listFolder: base
      .route({ method: "GET", path: "/machines/{id}/shared-folders/{name}/folder" })
      .input(sharedPlace)
      .output(sharedListingSchema),
    /** A piece of a file; `nextOffset` asks for the next one. */
    readFile: base
      .route({ method: "GET", path: "/machines/{id}/shared-folders/{name}/file" })
      .input(sharedPlace.extend({ offset: z.coerce.number().int().min(0).default(0) }))
      .output(z.object({ base64: z.string(), nextOffset: z.number().nullable() })),
  },
  media: {
    /** Puts an ISO image into a drive (`driveId` left out: the first) or takes the disc out, also while the machine runs. */
    changeDisc: base
      .route({ method: "PUT", path: "/machines/{id}/disc" })
      .input(
        byMachine.extend({
          driveId: z.string().optional(),
          file: z.string().min(1).max(4096).nullable(),
          /** Also a disc that the guest has locked. */
          force: z.boolean().default(false),
        }),
      )
      /** `changed` false: the guest uses the disc and was asked to let it go. */
      .output(z.object({ changed: z.boolean() })),
    /**
     * Takes the next piece of a file that the guest is to get; `upload` is the caller's own name for all that belongs together. What is not handed
     * over within two minutes is forgotten.
     */
    stageFile: base
      .route({ method: "POST", path: "/machines/{id}/handed/pieces" })
      .input(byMachine.extend({ upload: uploadSchema, name: z.string().min(1).max(255), base64: pieceSchema }))
      .output(z.object({ bytes: z.number() })),
    /** Makes a disc of the files and puts it into the first empty drive, or instead of the disc in the first one. */
    handFiles: base
      .route({ method: "POST", path: "/machines/{id}/handed" })
      .input(byMachine.extend({ upload: uploadSchema }))
      /** `changed` false: the guest uses the disc that is in the drive and was asked to let it go. */
      .output(z.object({ changed: z.boolean(), driveId: z.string(), file: z.string() })),
    /** A new qcow2 image of a disk image in any known format: qcow2, raw, VDI, VMDK, VHD, VHDX. Runs as a task. */
    convert: base
      .route({ method: "POST", path: "/media/convert" })
      .input(z.object({ source: z.string().min(1).max(4096), target: z.string().min(1).max(4096) }))
      .output(z.object({ file: z.string() })),
    describe: base
      .route({ method: "GET", path: "/media/describe" })
      .input(z.object({ file: z.string().min(1).max(4096) }))
      .output(mediumFactsSchema),
  },
  catalogue: {
    /** Operating systems that are known, and what of them can be downloaded. */
    list: base.route({ method: "GET", path: "/catalogue" }).output(catalogueViewSchema),
    /** The file of a release: one that is there, or a new one, as a task. `newest` asks the publisher for a newer version. */
    download: base
      .route({ method: "POST", path: "/catalogue/download" })
      .input(z.object({ releaseId: z.string().max(64), newest: z.boolean().default(false) }))
      .output(z.object({ file: z.string() })),
    /** Discs that were downloaded, whole or not. */
    downloads: base.route({ method: "GET", path: "/catalogue/downloads" }).output(z.array(downloadEntrySchema)),
    /** Deletes one of them. */
    deleteDownload: base
      .route({ method: "DELETE", path: "/catalogue/downloads/{name}" })
      .input(z.object({ name: z.string().min(1).max(255) }))
      .output(z.object({ freedBytes: z.number() })),
  },
  preferences: {
    get: base.route({ method: "GET", path: "/preferences" }).output(preferencesSchema),
    /** Keys that are null are forgotten; others stay as they are. */
    change: base
      .route({ method: "PATCH", path: "/preferences" })
      .input(z.object({ changes: preferencesSchema }))
      .output(nothing),
  },
  tasks: {
    list: base.route({ method: "GET", path: "/tasks" }).output(z.array(taskSchema)),
    cancel: base
      .route({ method: "POST", path: "/tasks/{taskId}/cancel" })
      .input(z.object({ taskId: z.string() }))
      .output(nothing),
  },
  disks: {
    /** Every disk image that machines know, with what it takes. */
    list: base.route({ method: "GET", path: "/disks" }).output(z.array(diskEntrySchema)),
    /** Deletes the image of a disk that was taken out of its machine. */
    delete: base
      .route({ method: "POST", path: "/machines/{id}/disks/delete" })
      .input(byMachine.extend({ file: folderPath, permanently: z.boolean().default(false) }))
      .output(undoable),
  },
  networks: {
    /** All that machines are configured for, with members and addresses given out. */
    list: base.route({ method: "GET", path: "/networks" }).output(z.array(networkViewSchema)),
    /** Counters, addresses, captures and problems of a running machine's adapters; settings are changed with `machines.configure`. */
    status: base
      .route({ method: "GET", path: "/machines/{id}/network" })
      .input(byMachine)
      .output(z.array(adapterStatusSchema)),
    /** Starts a capture into a new pcapng file (in the machine's folder unless `file` names one), or stops it. */
    capture: base
      .route({ method: "POST", path: "/machines/{id}/network/capture" })
      .input(byMachine.extend({ adapterId: z.string(), on: z.boolean(), file: z.string().max(4096).optional() }))
      .output(z.object({ file: z.string().nullable() })),
  },
  backups: {
    /** Of a machine in any state, to a folder outside of the data folder; only what is new there is written. */
    create: base
      .route({ method: "POST", path: "/machines/{id}/backups" })
      .input(byMachine.extend({ folder: folderPath, memory: z.boolean().default(false) }))
      .output(backupSchema.extend({ writtenBytes: z.number() })),
    /** Newest first. */
    list: base
      .route({ method: "GET", path: "/backups" })
      .input(z.object({ folder: folderPath }))
      .output(z.array(backupSchema)),
    /** Makes a new machine of a backup. */
    restore: base
      .route({ method: "POST", path: "/backups/{backupId}/restore" })
      .input(z.object({ folder: folderPath, backupId: backupSchema.shape.id, name: z.string().optional() }))
      .output(machineDetailsSchema),
    /** Deletes a backup for good. Pieces that no other one has go as well, but none of the last 48 hours: other hosts may be using them. */
    delete: base
      .route({ method: "DELETE", path: "/backups/{backupId}" })
      .input(z.object({ folder: folderPath, backupId: backupSchema.shape.id }))
      .output(z.object({ freedBytes: z.number() })),
    /** Reads and checks everything in the folder. */
    verify: base
      .route({ method: "POST", path: "/backups/verify" })
      .input(z.object({ folder: folderPath }))
      .output(z.object({ backups: z.int(), pieces: z.int(), problems: z.array(backupProblemSchema) })),
  },
  trash: {
    /** Newest first. */
    list: base.route({ method: "GET", path: "/trash" }).output(z.array(trashEntrySchema)),
    /** Brings back one entry that is no left-over; yields the machine that it is or belongs to. */
    restore: base
      .route({ method: "POST", path: "/trash/{name}/restore" })
      .input(z.object({ name: z.string().min(1).max(255) }))
      .output(machineDetailsSchema),
    /** Deletes one entry, by its `name` in the list, for good. */
    delete: base
      .route({ method: "DELETE", path: "/trash/{name}" })
      .input(z.object({ name: z.string().min(1).max(255) }))
      .output(z.object({ freedBytes: z.number() })),
    /** Deletes everything in it for good. */
    empty: base.route({ method: "POST", path: "/trash/empty" }).output(z.object({ freedBytes: z.number() })),
  },
  files: {
    /** Server-side file picker: one folder of the host. Only names, kinds and sizes; never content. */
    browse: base
      .route({ method: "GET", path: "/files" })
      .input(z.object({ folder: z.string().nullable().default(null) }))
      .output(
        z.object({
          folder: z.string(),
          parent: z.string().nullable(),
          entries: z.array(
            z.object({ name: z.string(), path: z.string(), kind: z.enum(["folder", "file"]), sizeBytes: z.number() }),
          ),
        }),
      ),
  },
};

export type Contract = typeof contract;
