// Starting, pausing, stopping: the operations that have a VM process. Each runs alone on its machine; state changes follow states.ts.
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import type { StartRequest } from "../../../native-core/protocol/engine.ts";
import type { MachineState } from "../../contract/schemas.ts";
import { engineNamed } from "../../engines/index.ts";
import { writeFileAtomic } from "../../store/atomic-file.ts";
import { crashPoint } from "../../store/crash-points.ts";
import { dataSocketPath } from "../../store/data-folder.ts";
import { recoverPending } from "../../store/recover.ts";
import type { ProcessExit } from "../../supervisor/launcher.ts";
import { ProcessStarter } from "../../supervisor/process-starter.ts";
import { RunningVm, type VmOutcome } from "../../supervisor/running-vm.ts";
import type { VmClient } from "../../supervisor/vm-client.ts";
import type { ServiceContext } from "../context.ts";
import { explained, failureOf } from "../failures.ts";
import { newGenerationId, newId } from "../ids.ts";
import { checkDiscs, discEjected } from "../media/discs.ts";
import { needsHub, portsElsewhere } from "../network/adapters.ts";
import { ownTops } from "../snapshots/layers.ts";
import { checkBoot } from "./creation.ts";
import { diskDetached } from "./disks.ts";
import type { Machine } from "./machine.ts";
import { firmwareOf, requireBootMenu, withBootMenu } from "./start-firmware.ts";
import { requireNoTemplate, requireState } from "./states.ts";
import { ensureVariables } from "./variable-store.ts";

export type StopMode = "acpi" | "save" | "power-off";

export interface StartOptions {
  /** Firmware waits for the key that opens its boot menu, long enough for people, until the machine is switched off. */
  readonly bootMenu?: boolean;
}

export class Lifecycle {
  readonly #context: ServiceContext;
  /** What to do with a machine that has come to rest (disk clean-up), and whether its guest powered it off. */
  readonly #onStill: (machine: Machine, byGuest: boolean) => void;
  readonly #processes: ProcessStarter;

  constructor(context: ServiceContext, onStill: (machine: Machine, byGuest: boolean) => void, keepsReady = false) {
    this.#context = context;
    this.#processes = new ProcessStarter(context.launcher, context.timeouts, keepsReady);
    this.#onStill = onStill;
  }

  start(machine: Machine): Promise<void> {
    return machine.operate(() => this.startNow(machine));
  }

  /** For callers that hold the machine's operations already. */
  async startNow(machine: Machine, { bootMenu = false }: StartOptions = {}): Promise<void> {
    requireState(machine.name, machine.state, ["powered-off", "saved", "aborted"], "started");
    if (bootMenu) requireBootMenu(machine);
    const from = machine.state;
    requireNoTemplate(machine, "started");
    await ensureVariables(this.#context, machine);
    await ownTops(this.#context, machine);
    const savedStateBefore = machine.record.savedState;
    const generationId = machine.record.generationId ?? newGenerationId();
    const key = this.#context.keys.require(machine);
    const request = {
      ...(await this.#startRequest(machine, bootMenu)),
      ...(key && { machineKey: Buffer.from(key).toString("hex"), chunkFolder: machine.paths.chunks }),
      generationId,
    };
    const restoring = request.restoreFrom !== null;
    machine.transition(restoring ? "restoring" : "starting");
    let client: VmClient | null = null;
    let mayHaveRun = false;
    try {
      const engine = engineNamed(this.#context.engines, machine.record.config.engine);
      await rm(request.dataSocket, { force: true });
      client = await this.#processes.take(engine.module);
      const vm = new RunningVm(client, request.dataSocket);
      vm.onLog((line) => void machine.log.write(line.level, line.message));
      vm.onStalled((message) => void this.#stalled(machine, vm, message));
      vm.onEjected((driveId) => void discEjected(this.#context, machine, driveId).catch(() => undefined));
      vm.onDetached((diskId) => void diskDetached(machine, diskId).catch(() => undefined));
      machine.vm = vm;
      // Before the guest can write: should everything end now, the disks count as touched. A saved state stays valid until the
      // engine has it, because the guest does not run before `resume`.
      if (!restoring)
        await machine.update(() => ({ state: "running", lastFailure: null, changedSinceSnapshot: true, generationId }));
      const started = await client.request("start", request);
      vm.capabilities = started.capabilities;
      vm.memoryBase = request.restoreFrom;
      if (restoring) {
        await machine.update(() => ({
          state: "running",
          savedState: null,
          lastFailure: null,
          changedSinceSnapshot: true,
          generationId,
        }));
        mayHaveRun = true;
        await client.request("resume", null);
      }
      machine.transition("running");
      this.#processes.keepReady(engine.module, restoring ? "continues" : "boots");
      void machine.log.write(
        "info",
        `The machine ${restoring ? "continues" : "started"} (${Math.round(started.startMs)} ms)`,
      );
      void client.exited.then((exit) => this.#ended(machine, vm, exit)).finally(() => vm.settleEnded());
    } catch (error) {
      await client?.kill();
      // The guest never ran: the machine is what it was before. Otherwise its saved state does not fit its disks any more.
      const state = mayHaveRun ? "aborted" : from === "saved" ? "saved" : "powered-off";
      const savedState = state === "saved" ? savedStateBefore : null;
      const lastFailure = machine.vm?.outcome?.kind === "off" ? null : failureOf(error);
      machine.vm = null;
      await machine.settle(() => ({ state, savedState, lastFailure }));
      machine.transition(state);
      void machine.log.write("error", `The start failed: ${failureOf(error).message}`);
      throw error;
    }
  }

  /** Says that `machine` will be started in a moment, so that its process can come up meanwhile. */
  prepareStart(machine: Machine): void {
    this.#processes.prepare(engineNamed(this.#context.engines, machine.record.config.engine).module);
  }

  /** Takes `prepareStart` back. */
  cancelPreparedStart(): void {
    this.#processes.release();
  }

  /** Ends a process that waits for a machine. */
  dispose(): void {
    this.#processes.dispose();
  }

  pause(machine: Machine): Promise<void> {
    return machine.operate(async () => {
      requireState(machine.name, machine.state, ["running"], "paused");
      await vmOf(machine).client.request("pause", null);
      machine.transition("paused");
    });
  }

  resume(machine: Machine): Promise<void> {
    return machine.operate(async () => {
      requireState(machine.name, machine.state, ["paused"], "resumed");
      await vmOf(machine).client.request("resume", null);
      machine.transition("running");
      if (machine.record.lastFailure !== null) await machine.settle(() => ({ lastFailure: null }));
    });
  }

  /** The guest waits for room on the disk that its images are on. */
  #stalled(machine: Machine, vm: RunningVm, message: string): Promise<void> {
    return machine.operate(async () => {
      if (machine.vm !== vm || machine.state !== "running") return;
      machine.transition("paused");
      const lastFailure = {
        code: "NO_SPACE" as const,
        message,
        consequence: "The guest stands still, and nothing of its data is lost.",
        remedy: "Free some space on the disk, then resume the machine.",
      };
      await machine.settle(() => ({ lastFailure }));
    });
  }

  reset(machine: Machine): Promise<void> {
    return machine.operate(async () => {
      requireState(machine.name, machine.state, ["running", "paused"], "reset");
      const vm = vmOf(machine);
      await vm.client.request("reset", null);
      // After a reset the memory has nothing in common with the state it came from.
      vm.memoryBase = null;
      if (machine.state === "paused") await vm.client.request("resume", null);
      machine.transition("running");
      void machine.log.write("info", "Reset by the user");
    });
  }

  async stop(machine: Machine, how: StopMode): Promise<void> {
    // Power-off is the way out of anything that hangs, so it does not queue behind it.
    // Clean-up in the background does not count: it gives way by itself.
    const isCleaning = machine.cleanup !== null && (machine.state === "running" || machine.state === "paused");
    if (how === "power-off" && machine.operations.busy && machine.vm !== null && !isCleaning) {
      machine.vm.outcome = { kind: "off" };
      await machine.vm.client.kill();
      // Whatever was under way fails now and puts the machine into its state.
      await machine.operations.run(async () => undefined);
      return;
    }
    await machine.operate(async () => {
      if (how === "acpi") await this.#acpiShutdown(machine);
      else if (how === "save") await this.#save(machine);
      else await this.powerOffNow(machine);
    });
  }

  async powerOffNow(machine: Machine): Promise<void> {
    requireState(machine.name, machine.state, ["running", "paused"], "powered off");
    const vm = vmOf(machine);
    machine.transition("stopping");
    vm.outcome = { kind: "off" };
    try {
      await vm.client.request("powerOff", null);
      // Its disks are closed. Giving its memory back takes the process some more time, which nobody has to wait for.
      void vm.client.end();
      await this.#ended(machine, vm, { code: 0, signal: null }).finally(() => vm.settleEnded());
    } catch {
      // An engine that does not answer is ended by force; the disks are as after a power failure, which is what was asked for.
      await vm.client.kill();
      await vm.ended;
    }
  }

  async discardSavedState(machine: Machine): Promise<void> {
    await machine.operate(async () => {
      requireState(machine.name, machine.state, ["saved"], "discarded");
      await machine.update(() => ({ state: "powered-off", savedState: null, changedSinceSnapshot: true }));
      machine.transition("powered-off");
      void machine.log.write("info", "The saved state was discarded");
    });
    this.#onStill(machine, false);
  }

  async #acpiShutdown(machine: Machine): Promise<void> {
    requireState(machine.name, machine.state, ["running"], "shut down");
    const vm = vmOf(machine);
    if (vm.capabilities?.acpiShutdown === false) {
      throw new AppError("UNSUPPORTED", "The engine has no power button", { remedy: "Power the machine off instead." });
    }
    await vm.client.request("acpiShutdown", null);
    void machine.log.write("info", "The power button was pressed");
  }

  async #save(machine: Machine): Promise<void> {
    requireState(machine.name, machine.state, ["running", "paused"], "saved");
    const vm = vmOf(machine);
    const from = machine.state;
    const folder = `saved-state/${newId()}`;
    await mkdir(machine.paths.savedState, { recursive: true });
    machine.transition("saving");
    try {
      await machine.update(() => ({ pending: { kind: "save", folder } }));
      crashPoint("save:intent-recorded");
      const { thumbnailPng } = await this.#context.tasks.run(
        { title: `Saving ${machine.name}`, machineId: machine.id, cancellable: false },
        () =>
          vm.client.request("saveState", {
            folder: path.join(machine.paths.folder, folder),
            parentFolder: existing(vm.memoryBase),
          }),
      );
      crashPoint("save:state-written");
      // The picture that a saved machine shows; it goes without when it can't be kept.
      if (thumbnailPng !== null && machine.record.encryption === null)
        await writeFileAtomic(machine.paths.screenshot, thumbnailPng).catch(() => undefined);
    } catch (error) {
      if (!vm.client.hasExited) {
        await machine.settle(() => ({ pending: null }));
        machine.transition(from);
      } else {
        await vm.ended;
        // It ended before the intent was recorded, so that nobody settled that.
        if (machine.record.pending !== null) await machine.settle(() => ({ pending: null }));
      }
      void machine.log.write("error", `Saving failed: ${failureOf(error).message}`);
      throw error;
    }
    vm.outcome = { kind: "saved", folder };
    await vm.client.end();
    await vm.ended;
  }

  /** The one place where a machine with a VM process comes to rest, however it came to that; once for each process. */
  async #ended(machine: Machine, vm: RunningVm, exit: ProcessExit): Promise<void> {
    if (machine.vm !== vm) return vm.ended;
    let outcome = vm.explain(exit);
    const byGuest = vm.outcome === null && outcome.kind === "off";
    machine.vm = null;
    machine.metrics = null;
    await rm(vm.dataSocket, { force: true }).catch(() => undefined);
    if (machine.record.pending !== null) outcome = await this.#settlePending(machine, outcome);
    await recordOutcome(machine, outcome);
    const to: MachineState = outcome.kind === "off" ? "powered-off" : outcome.kind === "saved" ? "saved" : "aborted";
    machine.transition(to);
    const message =
      outcome.kind === "failed" ? `Aborted: ${outcome.failure.message}` : `The machine is ${to.replace("-", " ")}`;
    void machine.log.write(outcome.kind === "failed" ? "error" : "info", message);
    if (this.#context.registry.list().every((each) => each.vm === null)) this.#processes.restSoon();
    this.#onStill(machine, byGuest);
  }

  /** The process ended in the middle of saving or of a snapshot: what it finished counts, as after a crash of the host. */
  async #settlePending(machine: Machine, outcome: VmOutcome): Promise<VmOutcome> {
    const { pending } = machine.record;
    if (pending === null) return outcome;
    const settled = await recoverPending(machine.paths, machine.record, pending, []);
    if (pending.kind === "save") {
      await machine.settle(() => ({ pending: null }));
      return settled.state === "saved" ? { kind: "saved", folder: pending.folder } : outcome;
    }
    const { config, snapshots, currentSnapshotId, changedSinceSnapshot } = settled;
    await machine.settle(() => ({ pending: null, config, snapshots, currentSnapshotId, changedSinceSnapshot }));
    machine.publishSnapshots();
    return outcome;
  }

  /** Any adapter may be moved to a switch later. */
  async #hubSocket({ adapters }: MachineConfig): Promise<string | null> {
    const { hub } = this.#context;
    if (needsHub(adapters)) await hub.ensure();
    return adapters.length > 0 ? hub.socketPath() : null;
  }

  async #startRequest(machine: Machine, bootMenu: boolean): Promise<StartRequest> {
    const { savedState, origin } = machine.record;
    const { resources, store, images } = this.#context;
    const config = bootMenu ? await withBootMenu(resources, machine.record.config) : machine.record.config;
    await checkBoot(this.#context, config);
    await checkDiscs(config);
    const { kernel, initrd } = config.boot;
    const disks = config.disks.map((disk) => ({ ...disk, file: path.resolve(machine.paths.folder, disk.file) }));
    for (const [index, disk] of disks.entries()) {
      await images.inspect(disk.file, disk.format).catch((error: unknown) => {
        throw explained(error, {
          field: `disks.${index}`,
          consequence: "The machine was not started.",
          remedy: "Bring the file back to its place, or take the disk out of the machine.",
        });
      });
    }
    await mkdir(machine.paths.logs, { recursive: true });
    return {
      machineId: machine.id,
      config,
      folder: machine.paths.folder,
      kernelFile: kernel === null ? null : resources.resolve(kernel, "boot.kernel"),
      initrdFile: initrd === null || kernel === null ? null : resources.resolve(initrd, "boot.initrd"),
      ...(await firmwareOf(resources, config)),
      disks,
      opticalDrives: config.opticalDrives,
      hubSocket: await this.#hubSocket(config),
      portsElsewhere: portsElsewhere(this.#context, machine),
      chunkFolder: store.data.chunks,
      logFolder: machine.paths.logs,
      dataSocket: await dataSocketPath(store.data, machine.id),
      restoreFrom: savedState === null ? null : path.join(machine.paths.folder, savedState),
      // Copies come in numbers, and most of them never touch most of what their source had in memory.
      memoryOnDemand: origin !== null && origin.kind !== "full",
      startPaused: savedState !== null,
    };
  }
}

async function recordOutcome(machine: Machine, outcome: VmOutcome): Promise<void> {
  switch (outcome.kind) {
    case "off":
      return machine.settle(() => ({ state: "powered-off", lastFailure: null }));
    case "saved":
      return machine.settle(() => ({ state: "saved", savedState: outcome.folder, pending: null, lastFailure: null }));
    case "failed":
      return machine.settle(() => ({ state: "aborted", lastFailure: outcome.failure }));
  }
}

export function vmOf(machine: Machine): RunningVm {
  if (machine.vm !== null) return machine.vm;
  throw new AppError("INVALID_STATE", `"${machine.name}" is not running`, {
    field: "state",
    remedy: "Start it first.",
  });
}

export function existing(folder: string | null): string | null {
  return folder !== null && existsSync(folder) ? folder : null;
}
