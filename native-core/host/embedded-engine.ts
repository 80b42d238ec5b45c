// The embedded core as an engine: one machine from start to end, on this process's event loop.
//
//   starting --start--> running <--pause/resume--> paused        any of them --power off, guest, failure--> stopped, process ends
import { mkdir } from "node:fs/promises";
import { Emitter } from "../common/emitter.ts";
import { AppError } from "../common/errors.ts";
import { MEMORY_MAX_MIB, MEMORY_MIN_MIB } from "../config/machine-config.ts";
import type { ProcessorFactory } from "../machine/machine.ts";
import type { CoreProcessor } from "../machine/processor.ts";
import type {
  EngineArgument,
  EngineCapabilities,
  EngineResult,
  RunState,
  StartRequest,
  StopReason,
} from "../protocol/engine.ts";
import type { Engine, EngineEvent } from "../protocol/engine-interface.ts";
import { Metrics } from "./metrics.ts";
import { networkMetrics } from "./network/network-set.ts";
import { profile } from "./profile.ts";
import { RunningMachine } from "./running-machine.ts";
import { SerialQueue } from "./serial-queue.ts";

const EMBEDDED_CAPABILITIES: EngineCapabilities = {
  engine: "embedded",
  liveSnapshots: true,
  saveState: true,
  acpiShutdown: true,
  screenshots: true,
  maxCpus: 1,
  memoryMinMiB: MEMORY_MIN_MIB,
  memoryMaxMiB: MEMORY_MAX_MIB,
};

export class EmbeddedEngine implements Engine {
  readonly #createProcessor: ProcessorFactory<CoreProcessor>;
  readonly #events = new Emitter<EngineEvent>();
  readonly #queue = new SerialQueue();
  readonly #metrics = new Metrics();
  readonly #ended = Promise.withResolvers<void>();
  #machine: RunningMachine | undefined;
  #state: RunState | undefined;

  readonly onEvent = this.#events.event;

  constructor(createProcessor: ProcessorFactory<CoreProcessor>) {
    this.#createProcessor = createProcessor;
  }

  /** Whether a machine was asked for. */
  get started(): boolean {
    return this.#state !== undefined;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  start(request: StartRequest): Promise<EngineResult<"start">> {
    return this.#queue.run(async () => {
      if (this.#state !== undefined) throw wrongState("started", this.#state);
      const begin = performance.now();
      this.#enter("starting");
      try {
        await mkdir(request.logFolder, { recursive: true, mode: 0o700 });
        this.#machine = await RunningMachine.start(request, this.#createProcessor, {
          stopped: (reason, message) => void this.#stop(reason, message),
          wasReset: () => this.#events.fire({ kind: "reset" }),
          warn: (message) => this.#events.fire({ kind: "log", level: "warn", message }),
          error: (message) => this.#events.fire({ kind: "log", level: "error", message }),
          stalled: (message) => this.#stall(message),
          ejected: (driveId) => this.#events.fire({ kind: "ejected", driveId }),
          detached: (diskId) => this.#events.fire({ kind: "detached", diskId }),
        });
      } catch (error) {
        this.#enter("stopped", "failed", error instanceof Error ? error.message : String(error));
        this.#ended.resolve();
        throw error;
      }
      if (request.startPaused) this.#enter("paused");
      else {
        this.#enter("running");
        this.#machine.runner.resume();
      }
      return { capabilities: EMBEDDED_CAPABILITIES, startMs: performance.now() - begin };
    });
  }

  pause(): Promise<null> {
    return this.#order(["running", "paused"], "paused", async ({ runner }) => {
      runner.pause();
      this.#enter("paused");
      return null;
    });
  }

  resume(): Promise<null> {
    return this.#order(["running", "paused"], "resumed", async ({ runner, disks }) => {
      disks.full.retry();
      runner.resume();
      this.#enter("running");
      return null;
    });
  }

  reset(): Promise<null> {
    return this.#order(["running", "paused"], "reset", async ({ runner }) => {
      runner.reset();
      this.#events.fire({ kind: "reset" });
      return null;
    });
  }

  acpiShutdown(): Promise<null> {
    return this.#order(["running"], "asked to shut down", async ({ machine }) => {
      machine.powerButton();
      return null;
    });
  }

  /** Doesn't wait for its turn: a machine can be switched off while a snapshot is being written. */
  async powerOff(): Promise<null> {
    this.#require(["running", "paused"], "powered off");
    await this.#stop("power-off", null);
    return null;
  }

  saveState(request: EngineArgument<"saveState">): Promise<EngineResult<"saveState">> {
    return this.#order(["running", "paused"], "saved", async ({ saver, runner }) => {
      const wasRunning = this.#state === "running";
      try {
        const result = await saver.save({ folder: request.folder, resume: false });
        await this.#stop("saved", null);
        return result;
      } catch (error) {
        if (wasRunning && this.#state === "running") runner.resume();
        throw error;
      }
    });
  }

  takeSnapshot(request: EngineArgument<"takeSnapshot">): Promise<EngineResult<"takeSnapshot">> {
    const { folder, overlays } = request;
    return this.#order(["running", "paused"], "snapshotted", ({ saver }) =>
      folder === null ? saver.freezeDisks(overlays) : saver.save({ folder, overlays, resume: true }),
    );
  }

  mergeStep({ diskId, layer, offset }: EngineArgument<"mergeStep">): Promise<EngineResult<"mergeStep">> {
    return this.#order(["running", "paused"], "cleaned up", ({ disks }) => disks.mergeStep(diskId, layer, offset));
  }

  reopenLayers({ diskId }: EngineArgument<"reopenLayers">): Promise<null> {
    return this.#order(["running", "paused"], "cleaned up", async ({ disks }) => {
      await disks.reopenLayers(diskId);
      return null;
    });
  }

  async screenshot({ thumbnail }: EngineArgument<"screenshot">): Promise<EngineResult<"screenshot">> {
    const running = this.#require(["running", "paused"], "photographed");
    return running.screenshot(thumbnail);
  }

  changeDisc(request: EngineArgument<"changeDisc">): Promise<EngineResult<"changeDisc">> {
    return this.#order(["running", "paused"], "given a disc", async ({ optical }) => ({
      changed: await optical.change(request),
    }));
  }

  attachDisk({ disk }: EngineArgument<"attachDisk">): Promise<null> {
    return this.#order(["running", "paused"], "given a disk", async ({ plugging }) => {
      await plugging.attachDisk(disk);
      return null;
    });
  }

  detachDisk({ diskId, force }: EngineArgument<"detachDisk">): Promise<EngineResult<"detachDisk">> {
    return this.#order(["running", "paused"], "relieved of a disk", async ({ plugging }) => ({
      detached: await plugging.detachDisk(diskId, force),
    }));
  }

  async sendText({ port, text }: EngineArgument<"sendText">): Promise<null> {
    const { machine } = this.#require(["running", "paused"], "typed into");
    machine.post({ kind: "serial", port: port === 0 ? 0 : 1, bytes: new TextEncoder().encode(text) });
    return null;
  }

  async profile({ seconds }: EngineArgument<"profile">): Promise<EngineResult<"profile">> {
    return profile(this.#require(["running"], "profiled"), seconds);
  }

  async metrics(): Promise<EngineResult<"metrics">> {
    const { machine, network, counters } = this.#require(["running", "paused"], "measured");
    return { ...this.#metrics.sample(machine, counters()), ...networkMetrics(network) };
  }

  configureNetwork({ adapters, portsElsewhere }: EngineArgument<"configureNetwork">): Promise<null> {
    return this.#order(["running", "paused"], "given other networks", async ({ network, plugging }) => {
      await network.configure(adapters, plugging, portsElsewhere);
      return null;
    });
  }

  shareFolders({ folders }: EngineArgument<"shareFolders">): Promise<null> {
    return this.#order(["running", "paused"], "given other folders", async ({ sharedFolders, machine }) => {
      await sharedFolders.change(folders, machine);
      return null;
    });
  }

  async networkStatus(): Promise<EngineResult<"networkStatus">> {
    return this.#require(["running", "paused"], "asked for its networks").network.status();
  }

  capture({ adapterId, file }: EngineArgument<"capture">): Promise<null> {
    return this.#order(["running", "paused"], "captured", async ({ network }) => {
      await network.capture(adapterId, file);
      return null;
    });
  }

  async abandon(): Promise<void> {
    // A start under way has to come to its end before it can be undone.
    if (!this.#machine) await this.#queue.idle();
    if (this.#machine) await this.#stop("power-off", "The application ended");
    else this.#ended.resolve();
    await this.ended;
  }

  /** An error nobody foresaw, anywhere in the process: the machine can't be trusted any more. */
  async fail(error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    this.#events.fire({ kind: "log", level: "error", message: (error instanceof Error && error.stack) || message });
    if (this.#machine) await this.#stop("failed", message);
    else this.#enter("stopped", "failed", message);
  }

  #require(states: readonly RunState[], what: string): RunningMachine {
    if (!this.#machine || !this.#state || !states.includes(this.#state)) throw wrongState(what, this.#state);
    return this.#machine;
  }

  #order<T>(states: readonly RunState[], what: string, work: (running: RunningMachine) => Promise<T>): Promise<T> {
    return this.#queue.run(() => work(this.#require(states, what)));
  }

  #enter(state: RunState, reason: StopReason | null = null, message: string | null = null): void {
    this.#state = state;
    this.#events.fire({ kind: "runState", state, reason, message });
  }

  /** The guest stands still by itself; the runner has stopped already. */
  #stall(message: string): void {
    this.#events.fire({ kind: "log", level: "error", message });
    if (this.#state === "running") this.#enter("paused", null, message);
  }

  /** The end of the machine, once. Settles when the disks are safe. */
  async #stop(reason: StopReason, message: string | null): Promise<void> {
    if (this.#state === "stopped" || !this.#machine) return;
    const running = this.#machine;
    running.runner.pause();
    // Nobody may start it again meanwhile; the event follows when everything is on disk.
    this.#state = "stopped";
    let finalReason = reason;
    let finalMessage = message;
    try {
      await running.close();
    } catch (error) {
      finalReason = "failed";
      finalMessage = `The disks could not be written to the end: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.#enter("stopped", finalReason, finalMessage);
    // A snapshot that is still being written is let through.
    void this.#queue.idle().then(() => this.#ended.resolve());
  }
}

function wrongState(what: string, state: RunState | undefined): AppError {
  return new AppError("INVALID_STATE", `the machine can't be ${what}: it is ${state ?? "not started"}`, {
    field: "state",
  });
}
