// The app without a shell: opens the data folder, builds the services, and closes everything in order. Electron and the Node host
// (and tests) each make one.

import { collectGarbage } from "../../native-core/host/state/collect-garbage.ts";
import { defaultEngines, type EngineRegistry } from "../engines/index.ts";
import { openDataFolder } from "../store/data-folder.ts";
import { acquireHostLock, type HostLock } from "../store/host-lock.ts";
import { Store } from "../store/store.ts";
import type { VmLauncher } from "../supervisor/launcher.ts";
import { launchNodeProcess } from "../supervisor/node-launcher.ts";
import { DEFAULT_TIMEOUTS, type VmTimeouts } from "../supervisor/vm-client.ts";
import { scheduledBackups } from "./backup/schedule.ts";
import type { ServiceContext } from "./context.ts";
import { mediaImages } from "./disks/media-images.ts";
import { EventHub } from "./events.ts";
import { failureOf } from "./failures.ts";
import { Resources } from "./host/resources.ts";
import { log } from "./log.ts";
import { KeyRing } from "./machines/key-ring.ts";
import { Lifecycle } from "./machines/lifecycle.ts";
import { Machine } from "./machines/machine.ts";
import { MetricsPoller } from "./machines/metrics.ts";
import { MachineRegistry } from "./machines/registry.ts";
import { Mutex } from "./mutex.ts";
import { NetworkHub } from "./network/hub.ts";
import { Schedule } from "./schedule.ts";
import { scheduledSnapshots } from "./snapshots/automatic.ts";
import { scheduleCleanup } from "./snapshots/cleanup.ts";
import { scheduledPurges } from "./snapshots/trash.ts";
import { TaskService } from "./tasks.ts";
import { finishInstallation } from "./unattended/install.ts";

/** Chunks of deleted states are kept for a while (they may be about to be used again), so one look after a deletion is not enough. */
const HOUSEKEEPING_MS = 15 * 60_000;

export interface AppOptions {
  /** Absolute path of the data folder. */
  readonly home: string;
  readonly starterFolder?: string;
  readonly engines?: EngineRegistry;
  readonly launcher?: VmLauncher;
  readonly timeouts?: VmTimeouts;
  /** Whether a process waits for the next start while machines run. */
  readonly keepsProcessReady?: boolean;
}

/** How running machines are stopped when the app ends. */
export type StopAll = "save" | "power-off";

/** Frees guest memory that no saved state or snapshot has any more. */
async function collectChunks(context: ServiceContext): Promise<void> {
  try {
    await collectGarbage(context.store.data.chunks, Date.now());
    for (const { record, paths } of context.registry.list()) {
      if (record.encryption !== null) await collectGarbage(paths.chunks, Date.now());
    }
  } catch (error) {
    log.warn({ err: error }, "the chunk folder could not be cleaned up");
  }
}

export class App {
  readonly context: ServiceContext;
  readonly lifecycle: Lifecycle;
  /** What was repaired at this start. */
  readonly notices: readonly string[];
  readonly metrics: MetricsPoller;
  /** Set by the shell, which then closes the app and itself. */
  onShutdownRequested: ((mode: StopAll) => void) | null = null;
  readonly #lock: HostLock;
  readonly #housekeeping: NodeJS.Timeout;
  /** Takes the snapshots that machines want by the clock. */
  readonly snapshots: Schedule;
  /** Makes the backups that they want. */
  readonly backups: Schedule;
  /** Frees what was deleted so long ago that nobody undoes it any more. */
  readonly purges: Schedule;
  readonly #closingSoon: AbortController;
  #closing: Promise<void> | null = null;

  private constructor(
    context: ServiceContext,
    lock: HostLock,
    closing: AbortController,
    notices: readonly string[],
    keepsReady: boolean,
  ) {
    this.context = context;
    this.#closingSoon = closing;
    this.notices = notices;
    this.#lock = lock;
    this.metrics = new MetricsPoller(context);
    this.#housekeeping = setInterval(() => void collectChunks(context), HOUSEKEEPING_MS);
    this.#housekeeping.unref();
    this.snapshots = new Schedule(context, scheduledSnapshots(context));
    this.backups = new Schedule(context, scheduledBackups(context));
    this.purges = new Schedule(context, scheduledPurges(context));
    const onStill = (machine: Machine, byGuest: boolean) => {
      scheduleCleanup(context, machine);
      if (byGuest && !context.closing.aborted) this.#goOn(machine);
    };
    this.lifecycle = new Lifecycle(context, onStill, keepsReady);
  }

  /** @throws AppError HOST_RUNNING, PERMISSION_DENIED, VERSION_MISMATCH, ... naming the file. */
  static async open(options: AppOptions): Promise<App> {
    const data = await openDataFolder(options.home);
    const lock = acquireHostLock(data);
    try {
      const { store, records, notices } = await Store.open(data);
      const events = new EventHub();
      const closing = new AbortController();
      const registry = new MachineRegistry();
      const keys = new KeyRing(data.machines);
      for (const record of records) registry.add(new Machine(record, store, events));
      const context: ServiceContext = {
        store,
        events,
        registry,
        tasks: new TaskService(events),
        engines: options.engines ?? defaultEngines(),
        launcher: options.launcher ?? launchNodeProcess,
        hub: new NetworkHub(options.launcher ?? launchNodeProcess, data),
        timeouts: options.timeouts ?? DEFAULT_TIMEOUTS,
        images: mediaImages(data.machines, keys.secretOf),
        keys,
        resources: new Resources(options.starterFolder),
        chunkWork: new Mutex(),
        closing: closing.signal,
      };
      const app = new App(context, lock, closing, notices, options.keepsProcessReady === true);
      for (const machine of registry.list()) scheduleCleanup(context, machine);
      void collectChunks(context);
      return app;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Machines that have a VM process. */
  running(): Machine[] {
    return this.context.registry.list().filter((machine) => machine.vm !== null);
  }

  /** A guest that powered itself off may have been an installer. */
  #goOn(machine: Machine): void {
    finishInstallation(this.lifecycle, machine).catch((error: unknown) => {
      void machine.log.write("error", `The installed system did not start: ${failureOf(error).message}`);
    });
  }

  /** Lets the answer to whoever asked get out first. */
  requestShutdown(mode: StopAll): void {
    setImmediate(() => this.onShutdownRequested?.(mode));
  }

  /** Stops the machines, then releases the data folder. A machine that can't be saved is shut down hard rather than left alone. */
  close(mode: StopAll = "save"): Promise<void> {
    this.#closing ??= this.#close(mode);
    return this.#closing;
  }

  async #close(mode: StopAll): Promise<void> {
    this.#closingSoon.abort();
    await this.metrics.dispose();
    clearInterval(this.#housekeeping);
    this.snapshots.dispose();
    this.backups.dispose();
    this.purges.dispose();
    await Promise.all(this.running().map((machine) => this.#stopForClose(machine, mode)));
    for (const machine of this.context.registry.list()) {
      machine.cleanup?.abort();
      await machine.operations.run(async () => undefined);
      await machine.writeBehind();
      await machine.log.flush();
    }
    this.lifecycle.dispose();
    this.context.hub.dispose();
    this.context.events.close();
    await this.context.store.close();
    this.#lock.release();
  }

  async #stopForClose(machine: Machine, mode: StopAll): Promise<void> {
    const canSave = machine.vm?.capabilities?.saveState !== false;
    if (mode === "save" && canSave) {
      try {
        await this.lifecycle.stop(machine, "save");
        return;
      } catch (error) {
        await machine.log.write("error", `Saving at the end of Terrarium failed: ${failureOf(error).message}`);
      }
    }
    const { vm } = machine;
    if (vm === null) return;
    await this.lifecycle.stop(machine, "power-off").catch(() => vm.client.kill());
  }
}
