// The contract between main and one VM process, whatever engine runs in it (embedded core, QEMU, ...).
//
//   main --fork--> VM process
//     control:  requests and replies below, over the process's message channel; both sides validate with these schemas
//     data:     a local socket per machine (DATA CHANNELS below), so that frames and console bytes never pass through main's objects
//
// The engine knows nothing of the store: it gets file paths, and main records what came of it.
import { z } from "zod";
import { DISK_BUSES, DRIVE_BUSES, machineConfigSchema } from "../config/machine-config.ts";
import { ADAPTER_MODELS, adaptersSchema } from "../config/network-settings.ts";
import { sharedFoldersSchema } from "../config/shared-folders.ts";

import { adapterStatusSchema, networkMetricsSchema, portElsewhereSchema } from "./network.ts";

/** Both sides must have the same number; the hello message carries it. */
export const ENGINE_PROTOCOL_VERSION = 1;

export const engineCapabilitiesSchema = z.object({
  engine: z.string(),
  liveSnapshots: z.boolean(),
  saveState: z.boolean(),
  acpiShutdown: z.boolean(),
  screenshots: z.boolean(),
  maxCpus: z.int(),
  memoryMinMiB: z.int(),
  memoryMaxMiB: z.int(),
});
export type EngineCapabilities = z.infer<typeof engineCapabilitiesSchema>;

/** What the guest is doing, as the engine sees it. The machine's life-cycle state is main's (see main/contract). */
export const RUN_STATES = ["starting", "running", "paused", "stopped"] as const;
export type RunState = (typeof RUN_STATES)[number];

export const STOP_REASONS = ["guest-shutdown", "power-off", "saved", "triple-fault", "failed"] as const;
export type StopReason = (typeof STOP_REASONS)[number];

const diskRequestSchema = z.strictObject({
  ...{ id: z.string(), file: z.string(), format: z.enum(["qcow2", "raw"]), readOnly: z.boolean() },
  bus: z.enum([...DISK_BUSES, "nvram"]).optional(),
  slot: z.int().optional(),
  /** A snapshot may leave it out. */
  independent: z.boolean().optional(),
});

const opticalDriveRequestSchema = z.strictObject({
  ...{ id: z.string(), file: z.string().nullable(), bus: z.enum(DRIVE_BUSES).optional() },
});

/** Everything an engine needs; paths are absolute and resolved. */
export const startRequestSchema = z.strictObject({
  machineId: z.string(),
  config: machineConfigSchema,
  /** The machine's own folder. */
  folder: z.string(),
  /** Null: the machine boots through firmware. */
  kernelFile: z.string().nullable(),
  initrdFile: z.string().nullable(),
  /** Images of the PC's firmware, for a machine without kernel. */
  firmware: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("bios"), biosFile: z.string(), videoBiosFile: z.string() }),
      z.strictObject({ kind: z.literal("uefi"), codeFile: z.string() }),
    ])
    .optional(),
  /** Option ROMs of adapters that firmware boots from, by model. */
  adapterRoms: z.partialRecord(z.enum(ADAPTER_MODELS), z.string()).optional(),
  disks: z.array(diskRequestSchema),
  opticalDrives: z.array(opticalDriveRequestSchema).optional(),
  /** Content-addressed memory chunks shared by all machines of the store. */
  chunkFolder: z.string(),
  /** Folder for what the serial ports print: ttySn.log. */
  logFolder: z.string(),
  /** Path (POSIX) or pipe name (Windows) of the data socket to listen on. */
  dataSocket: z.string(),
  /** Where the network process listens (hub-server.ts); null when the machine has nothing to do with it. */
  hubSocket: z.string().nullable().optional(),
  portsElsewhere: z.array(portElsewhereSchema).optional(),
  /** A saved state or snapshot memory folder to continue from instead of booting. */
  restoreFrom: z.string().nullable(),
  startPaused: z.boolean(),
  /** Key of an encrypted machine, in hexadecimal. It comes this way only: no argument, environment or file has it. */
  machineKey: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Brings in restored memory only where the guest touches it, instead of all of it beside the guest. */
  memoryOnDemand: z.boolean().optional(),
  /** What the guest knows itself by (VMGenID); another one than that of the restored state tells it that it is a copy or went back. */
  generationId: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
});
export type StartRequest = z.infer<typeof startRequestSchema>;

/**
 * Writes machine state into `folder` (made by the engine, complete or absent) and freezes disk layers in the same instant; null keeps no
 * state, for who reads the disks only.
 */
export const snapshotRequestSchema = z.strictObject({
  folder: z.string().nullable(),
  /** State folder whose pages are the base of this one, if it is still there. */
  parentFolder: z.string().nullable(),
  /** For each writable disk, independent ones if wanted, the new overlay file that becomes its top layer; the old one is frozen. */
  overlays: z.array(z.strictObject({ diskId: z.string(), file: z.string() })),
});

export const snapshotResultSchema = z.object({
  /** How long the guest stood still. */
  pauseMs: z.number(),
  /** Bytes newly written to disk for memory and device state. */
  writtenBytes: z.number(),
  /** Guest memory pages stored newly, and all non-zero ones. */
  newPages: z.int(),
  totalPages: z.int(),
  /** PNG of the screen, 16:10, at most 320 pixels wide; null when the display is blank. */
  thumbnailPng: z.instanceof(Uint8Array).nullable(),
});
export type SnapshotResult = z.infer<typeof snapshotResultSchema>;

export const saveStateRequestSchema = z.strictObject({ folder: z.string(), parentFolder: z.string().nullable() });

/**
 * One piece of merging the layer right below a disk's top layer away while the guest runs. `offset` is where the piece before it ended,
 * 0 at first. When `done`, nothing of the machine refers to the layer any more.
 */
const mergeStepRequestSchema = z.strictObject({
  diskId: z.string(),
  layer: z.string(),
  offset: z.number().min(0),
});

export const vmMetricsSchema = z.object({
  /** Instructions retired per second, in millions, over the last sample. */
  mips: z.number(),
  /** Share of one host core used by this process, 0..1. */
  cpuShare: z.number(),
  residentBytes: z.number(),
  guestBytes: z.number(),
  diskReadBytes: z.number(),
  diskWrittenBytes: z.number(),
  /** Ways back from compiled code into the interpreter since the start, for engines that can tell. */
  exits: z.number().optional(),
  /** What all adapters together carried; absent in a machine without. */
  network: networkMetricsSchema.optional(),
});
export type VmMetrics = z.infer<typeof vmMetricsSchema>;

/** Where a running machine's time went, from the begin of the request to its end. Engines that cannot tell have no such request. */
export const vmProfileSchema = z.object({
  ms: z.number(),
  cpuMs: z.number(),
  instructions: z.number(),
  compiledInstructions: z.number(),
  /** Page walks. */
  tlbMisses: z.number(),
  /** Ways back from compiled code into the interpreter, by reason. */
  exits: z.record(z.string(), z.number()),
  compiled: z.object({ regions: z.number(), modules: z.number(), wasmBytes: z.number(), compileMs: z.number() }),
  /** Where the guest was at the ends of slices, hottest first: RIP in hexadecimal. */
  sampleCount: z.int(),
  samples: z.array(z.object({ rip: z.string(), user: z.boolean(), count: z.int() })),
});
export type VmProfile = z.infer<typeof vmProfileSchema>;

/** Requests from main: name to [argument, result]. */
export const ENGINE_REQUESTS = {
  start: [startRequestSchema, z.object({ capabilities: engineCapabilitiesSchema, startMs: z.number() })],
  pause: [z.null(), z.null()],
  resume: [z.null(), z.null()],
  reset: [z.null(), z.null()],
  acpiShutdown: [z.null(), z.null()],
  /** Stops at once; the process exits by itself after its reply. */
  powerOff: [z.null(), z.null()],
  /** Saves memory and devices, then stops. */
  saveState: [saveStateRequestSchema, snapshotResultSchema],
  takeSnapshot: [snapshotRequestSchema, snapshotResultSchema],
  mergeStep: [mergeStepRequestSchema, z.object({ offset: z.number(), sizeBytes: z.number(), done: z.boolean() })],
  /** Opens the layers below a disk's top layer anew, after one of them was merged away by somebody else. */
  reopenLayers: [z.strictObject({ diskId: z.string() }), z.null()],
  /** Full-size PNG of the screen. */
  screenshot: [
    z.strictObject({ thumbnail: z.boolean() }),
    z.object({ png: z.instanceof(Uint8Array), width: z.int(), height: z.int() }),
  ],
  /**
   * Puts an ISO image into a drive, or takes the disc out (`file` null). A disc that the guest has locked is asked for and stays, unless
   * `force` takes it anyway.
   */
  changeDisc: [
    z.strictObject({ driveId: z.string(), file: z.string().nullable(), force: z.boolean() }),
    z.object({ changed: z.boolean() }),
  ],
  /** Plugs a virtio disk into its slot. */
  attachDisk: [z.strictObject({ disk: diskRequestSchema }), z.null()],
  /** Asks the guest to let go of a virtio disk, or takes it away. Not detached: the guest keeps it, and may let go of it later. */
  detachDisk: [z.strictObject({ diskId: z.string(), force: z.boolean() }), z.object({ detached: z.boolean() })],
  sendText: [z.strictObject({ port: z.int().min(0).max(1), text: z.string().max(65536) }), z.null()],
  metrics: [z.null(), vmMetricsSchema],
  profile: [z.strictObject({ seconds: z.number().min(0.1).max(60) }), vmProfileSchema],
  /**
   * New settings of the adapters, in force when it answers; also one adapter more or less. Rejects, with everything as before, when they
   * can't be had.
   */
  configureNetwork: [
    z.strictObject({ adapters: adaptersSchema, portsElsewhere: z.array(portElsewhereSchema).optional() }),
    z.null(),
  ],
  /** Shares these folders of the host instead of those before, in force when it answers. */
  shareFolders: [z.strictObject({ folders: sharedFoldersSchema }), z.null()],
  networkStatus: [z.null(), z.array(adapterStatusSchema)],
  /** Starts a capture into a new file, or stops the one that runs (null). */
  capture: [z.strictObject({ adapterId: z.string(), file: z.string().nullable() }), z.null()],
} as const satisfies Record<string, readonly [z.ZodType, z.ZodType]>;

export type EngineRequestName = keyof typeof ENGINE_REQUESTS;
export type EngineArgument<N extends EngineRequestName> = z.infer<(typeof ENGINE_REQUESTS)[N][0]>;
export type EngineResult<N extends EngineRequestName> = z.infer<(typeof ENGINE_REQUESTS)[N][1]>;

const errorSchema = z.object({ code: z.string(), message: z.string(), details: z.record(z.string(), z.string()) });

/** Messages main to VM process. */
export const engineInboundSchema = z.strictObject({ id: z.int(), request: z.string(), argument: z.unknown() });

/** `loading`: the process runs and loads its program; `compiling`: it compiles the interpreter. */
const STARTING_PHASES = ["loading", "compiling"] as const;

/** Messages VM process to main. */
export const engineOutboundSchema = z.discriminatedUnion("kind", [
  /** Signs of life before the hello, each once: on a busy host loading takes its time. */
  z.strictObject({ kind: z.literal("starting"), phase: z.enum(STARTING_PHASES) }),
  z.strictObject({ kind: z.literal("hello"), protocol: z.int(), pid: z.int() }),
  z.strictObject({ kind: z.literal("reply"), id: z.int(), result: z.unknown() }),
  z.strictObject({ kind: z.literal("failure"), id: z.int(), error: errorSchema }),
  z.strictObject({
    kind: z.literal("runState"),
    state: z.enum(RUN_STATES),
    reason: z.enum(STOP_REASONS).nullable(),
    message: z.string().nullable(),
  }),
  z.strictObject({ kind: z.literal("reset") }),
  /** The guest opened a drive's tray. */
  z.strictObject({ kind: z.literal("ejected"), driveId: z.string() }),
  /** The guest let go of a disk that it had been asked for. */
  z.strictObject({ kind: z.literal("detached"), diskId: z.string() }),
  z.strictObject({ kind: z.literal("log"), level: z.enum(["info", "warn", "error"]), message: z.string() }),
]);
export type EngineOutbound = z.infer<typeof engineOutboundSchema>;

/**
 * DATA CHANNELS. A client connects to the data socket and sends one line naming the channel; raw bytes follow in both directions.
 *   `rfb\n`            RFB 3.8, server speaks first
 *   `console N\n`      serial port N: the kept scroll-back first, then live bytes; input is typed into the port
 *   `console N tail\n` the same without scroll-back
 *   `sound\n`          what the machine plays, from now on: packets of rate:u32, bytes:u32 and 16-bit stereo samples, little-endian
 * An unknown line closes the connection.
 */
export const DATA_CHANNELS = ["rfb", "console 0", "console 1", "console 0 tail", "console 1 tail", "sound"] as const;
export type DataChannel = (typeof DATA_CHANNELS)[number];

/** Bytes of serial scroll-back kept per port. */
export const CONSOLE_SCROLLBACK_BYTES = 1 << 20;
