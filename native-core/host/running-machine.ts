// A machine with everything the host puts around it: files, disks, consoles, display, data socket, runner. Built for a start request
// and taken apart again, whole or not at all.
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { MachineConfig } from "../config/machine-config.ts";
import type { RfbServer } from "../display/rfb-server.ts";
import type { Firmware } from "../firmware/firmware.ts";
import { createMachine, type Machine, type ProcessorFactory } from "../machine/machine.ts";
import type { CoreProcessor } from "../machine/processor.ts";
import { MachineRunner } from "../machine/runner.ts";
import type { DataChannel, EngineResult, StartRequest } from "../protocol/engine.ts";
import { bootLoader } from "./boot-loader.ts";
import { RestingCollector } from "./collect-garbage.ts";
import { StateSeal } from "./crypt/sealed.ts";
import { DataSocket } from "./data-socket.ts";
import { DiskSet } from "./disk-set.ts";
import { hostInputs, localZoneMs } from "./host-inputs.ts";
import { LogFile } from "./log-file.ts";
import { NetworkSet } from "./network/network-set.ts";
import { nodeEventLoop } from "./node-event-loop.ts";
import { OpticalDrives } from "./optical-drives.ts";
import { Plugging } from "./plugging.ts";
import { PowerEvents, type PowerHandlers } from "./power-events.ts";
import { displayServer, socketChannel } from "./rfb-channel.ts";
import { emptyPicture, Thumbnail, toPng } from "./screenshots.ts";
import { SerialConsole } from "./serial-console.ts";
import { SharedFolders } from "./shared-folders/shared-folders.ts";
import { SoundChannel } from "./sound-channel.ts";
import { PageLoader } from "./state/page-loader.ts";
import { checkShape, inState, type MachineShape, readState, type SavedState } from "./state/state-folder.ts";
import { StateSaver } from "./state-saver.ts";
import { storageParts, variableStore } from "./storage-parts.ts";
import type { VariableStore } from "./variable-store.ts";

export interface MachineEvents extends PowerHandlers {
  error(message: string): void;
  /** The guest stands still until it is resumed: the host's disk is full. */
  stalled(message: string): void;
  /** The guest opened a drive's tray: the disc is out. */
  ejected(driveId: string): void;
  /** The guest let go of a disk that it had been asked for. */
  detached(diskId: string): void;
}

/** What is open before there is a machine. */
interface OpenedParts {
  readonly disks: DiskSet;
  readonly optical: OpticalDrives;
  readonly flash: VariableStore | undefined;
  readonly sharedFolders: SharedFolders;
}

/** The guest has the processor to itself for its first answer; what it needs of its memory comes as it touches it. */
const LOAD_AFTER_MS = 200;

export class RunningMachine {
  readonly machine: Machine;
  readonly runner: MachineRunner;
  readonly saver: StateSaver;
  readonly #memory: CoreProcessor["memory"];
  readonly counters: CoreProcessor["counters"];
  readonly #shape: () => MachineShape;
  readonly plugging: Plugging;
  readonly #machineKey: Uint8Array | undefined;
  readonly disks: DiskSet;
  readonly sharedFolders: SharedFolders;
  readonly optical: OpticalDrives;
  readonly network: NetworkSet;
  readonly #logs: LogFile[] = [];
  readonly #consoles: readonly SerialConsole[];
  readonly #display: RfbServer | undefined;
  readonly #sound = new SoundChannel();
  #socket: DataSocket | undefined;
  #loader: PageLoader | undefined;
  #firstLoading: NodeJS.Timeout | undefined;
  #loading: NodeJS.Immediate | undefined;

  /** Everything is checked before anything runs; nothing stays open when it rejects. */
  static async start(
    request: StartRequest,
    createProcessor: ProcessorFactory<CoreProcessor>,
    events: MachineEvents,
  ): Promise<RunningMachine> {
    const firmware = await bootLoader(request);
    const disks = await DiskSet.open(request.disks, request.folder, machineKeyOf(request));
    const optical = await OpticalDrives.open(
      request.opticalDrives ?? [],
      request.config.floppy.file,
      events.ejected,
    ).catch(async (error: unknown) => {
      await disks.close().catch(() => undefined);
      throw error;
    });
    let running: RunningMachine | undefined;
    try {
      const flash = await variableStore(request, disks, (message) => events.error(message));
      const state = await savedState(request);
      const sharedFolders = new SharedFolders(request.config.sharedFolders, state?.machine);
      const parts = { disks, optical, flash, sharedFolders };
      running = new RunningMachine(request, createProcessor, firmware, parts, events);
      if (state === undefined) running.machine.powerOn();
      else running.#restore(state, request.memoryOnDemand === true);
      // A guest that was saved without them finds them now.
      await running.machine.shareFolders(sharedFolders.shares);
      await running.network.start();
      running.#socket = await DataSocket.listen(request.dataSocket, running.accept);
      return running;
    } catch (error) {
      if (running) await running.close().catch(() => undefined);
      else await Promise.allSettled([disks.close(), optical.close()]);
      throw error;
    }
  }

  private constructor(
    request: StartRequest,
    createProcessor: ProcessorFactory<CoreProcessor>,
    firmware: Firmware,
    { disks, optical, flash, sharedFolders }: OpenedParts,
    events: MachineEvents,
  ) {
    const { config } = request;
    this.#machineKey = machineKeyOf(request);
    this.disks = disks;
    this.sharedFolders = sharedFolders;
    disks.full.onFull = ({ message }) => {
      this.runner.pause();
      events.stalled(message);
    };
    this.optical = optical;
    const networkParts = {
      machineId: request.machineId,
      hubSocket: request.hubSocket ?? null,
      warn: (message: string) => events.warn(message),
    };
    this.network = new NetworkSet(config.adapters, networkParts, request.portsElsewhere);
    const consoles = [this.#console(request, 0, events), this.#console(request, 1, events)] as const;
    this.#consoles = consoles;
    let processor: CoreProcessor | undefined;
    this.machine = createMachine({
      memoryBytes: memoryBytes(config),
      vcpuCount: config.cpuCount,
      chipset: config.chipset,
      createProcessor: (options) => {
        processor = createProcessor({ ...options, model: config.cpuModel });
        return processor;
      },
      firmware,
      generationId: request.generationId === undefined ? undefined : Buffer.from(request.generationId, "hex"),
      inputs: hostInputs,
      rtcZoneMs: config.clock.rtc === "local" ? localZoneMs() : 0,
      serial: consoles,
      ...storageParts(request, disks, optical, (message) => events.error(message)),
      ...(flash && { flash }),
      adapters: this.network.parts,
      ...(sharedFolders.hasDevice && { sharedFolders: sharedFolders.shares }),
      video: { memoryBytes: config.display.videoMemoryMiB * 2 ** 20, adapter: config.display.adapter },
      virtioKeyboard: config.input.keyboard === "virtio",
      ...(config.sound.adapter !== "none" && { sound: { adapter: config.sound.adapter, sink: this.#sound } }),
      log: (message) => events.warn(message),
    });
    if (!processor) throw new Error("assertion failed: the machine has a processor");
    this.#memory = processor.memory;
    this.counters = processor.counters;
    const { display } = this.machine;
    this.#display = display && displayServer(this.machine, display, config.name);
    const power = new PowerEvents(events);
    this.runner = new MachineRunner(this.machine, nodeEventLoop, (event) =>
      power.handle(event, this.runner, performance.now()),
    );
    const collector = new RestingCollector();
    this.runner.onRest(() => collector.rest());
    this.plugging = new Plugging({
      ...{ machine: this.machine, disks, detached: events.detached },
      error: (message) => events.error(message),
    });
    this.#shape = () => ({
      memoryMiB: config.memoryMiB,
      videoMemoryMiB: this.#memory.vramBytes / (1 << 20),
      disks: disks.disks.map(({ id, sizeBytes, readOnly }) => ({ id, sizeBytes, readOnly })),
    });
    this.saver = new StateSaver({
      machine: this.machine,
      pages: this.#memory,
      runner: this.runner,
      disks,
      shape: this.#shape,
      recentPages: processor.recentPages,
      chunkFolder: request.chunkFolder,
      machineKey: this.#machineKey,
      grabThumbnail: () => (this.#display ? Thumbnail.grab(this.#display.capture()) : null),
    });
  }

  /** A client of the data socket. */
  readonly accept = (channel: DataChannel, socket: Duplex, first: Uint8Array): void => {
    if (channel === "sound") this.#sound.attach(socket);
    else if (channel !== "rfb") {
      const console = this.#consoles[channel.startsWith("console 1") ? 1 : 0];
      console?.attach(socket, channel.endsWith("tail"), first);
    } else if (this.#display) this.#display.attach(socketChannel(socket, first));
    else socket.destroy();
  };

  screenshot(small: boolean): EngineResult<"screenshot"> {
    const image = this.#display?.capture() ?? emptyPicture();
    if (!small) return { png: toPng(image), width: image.width, height: image.height };
    const picture = Thumbnail.grab(image)?.encode();
    if (picture) return picture;
    const empty = emptyPicture();
    return { png: toPng(empty), width: empty.width, height: empty.height };
  }

  /** Takes everything down; rejects when disks could not be written to the end, but only after all else is closed. */
  async close(): Promise<void> {
    this.runner.pause();
    this.disks.full.giveUp();
    clearTimeout(this.#firstLoading);
    clearImmediate(this.#loading);
    for (const console of this.#consoles) console.close();
    this.#display?.dispose();
    this.#sound.close();
    const [disks] = await Promise.allSettled([
      this.disks.drain().then(() => this.disks.close()),
      this.#socket?.close(),
      this.network.close(),
      this.optical.close(),
      this.sharedFolders.close(),
      ...this.#logs.map((log) => log.close()),
    ]);
    this.#loader?.close();
    this.machine.dispose();
    if (disks.status === "rejected") throw disks.reason;
  }

  #restore(state: SavedState, onDemand: boolean): void {
    const seal = sealOf(this.#machineKey);
    checkShape(state, this.#shape());
    const loader = new PageLoader(this.#memory, state.map, state.folder, { seal });
    this.#loader = loader;
    this.saver.continuesFrom(state, loader);
    inState(state, () => this.machine.restore(state.machine));
    // Copies of one machine, many of them perhaps, hold what they touch and no more.
    if (onDemand) return;
    void loader.prefetch(state.recentPages);
    this.#firstLoading = setTimeout(() => this.#loadMore(), LOAD_AFTER_MS);
  }

  /** The guest answers before its memory is here; the rest comes in beside it. */
  #loadMore(): void {
    if (!this.#loader || this.#loader.isComplete) return;
    this.#loading = setImmediate(() => {
      this.#loader?.loadSome();
      this.#loadMore();
    });
  }

  #console({ config, logFolder, machineKey }: StartRequest, port: 0 | 1, events: MachineEvents): SerialConsole {
    const { mode, log } = config.serial[port];
    const path = join(logFolder, `ttyS${port}.log`);
    let file: LogFile | undefined;
    // What the guest prints is as secret as its disks.
    if (mode === "console" && log && machineKey === undefined) {
      file = new LogFile(path, (error) => events.warn(`${path} could not be written: ${messageOf(error)}`));
      this.#logs.push(file);
    }
    return new SerialConsole((bytes) => this.machine.post({ kind: "serial", port, bytes }), file);
  }
}

/** What the machine continues from; undefined: it boots. */
async function savedState(request: StartRequest): Promise<SavedState | undefined> {
  if (request.restoreFrom === null) return undefined;
  return readState(request.restoreFrom, sealOf(machineKeyOf(request)));
}

const sealOf = (machineKey: Uint8Array | undefined): StateSeal | undefined => machineKey && new StateSeal(machineKey);

function machineKeyOf({ machineKey }: StartRequest): Uint8Array | undefined {
  return machineKey === undefined ? undefined : Buffer.from(machineKey, "hex");
}

/** Not a shift: 3 GiB is beyond 31 bits. */
function memoryBytes(config: MachineConfig): number {
  return config.memoryMiB * 2 ** 20;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
