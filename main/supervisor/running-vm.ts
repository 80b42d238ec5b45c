// A machine's VM process as the services see it: client, what it can do, and how it came to its end.
import { Emitter, type Event } from "../../native-core/common/emitter.ts";
import type { EngineCapabilities, StopReason } from "../../native-core/protocol/engine.ts";
import type { Failure } from "../contract/schemas.ts";
import { ConsoleTap } from "./console-tap.ts";
import type { ProcessExit } from "./launcher.ts";
import { describeExit, lastLine, type VmClient } from "./vm-client.ts";

/** What the end of the process means for the machine. */
export type VmOutcome =
  | { readonly kind: "off" }
  | { readonly kind: "saved"; readonly folder: string }
  | { readonly kind: "failed"; readonly failure: Failure };

export interface VmLogLine {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
}

export class RunningVm {
  readonly client: VmClient;
  readonly dataSocket: string;
  readonly startedAtMs = Date.now();
  capabilities: EngineCapabilities | null = null;
  /** Absolute path of the memory state that the guest's memory descends from: the base of the next incremental one. */
  memoryBase: string | null = null;
  /** Said in advance by whoever ends the machine on purpose. */
  outcome: VmOutcome | null = null;
  readonly #logs = new Emitter<VmLogLine>();
  readonly #ejected = new Emitter<string>();
  readonly #stalled = new Emitter<string>();
  readonly #detached = new Emitter<string>();
  readonly #taps = new Map<number, ConsoleTap>();
  readonly #ended = Promise.withResolvers<void>();
  #stopped: { reason: StopReason | null; message: string | null } | null = null;

  readonly onLog: Event<VmLogLine> = this.#logs.event;
  /** The guest opened the tray of this drive. */
  readonly onEjected: Event<string> = this.#ejected.event;
  /** The guest stands still by itself, with the reason. */
  readonly onStalled: Event<string> = this.#stalled.event;
  /** The guest let go of this disk, some time after it was asked to. */
  readonly onDetached: Event<string> = this.#detached.event;

  constructor(client: VmClient, dataSocket: string) {
    this.client = client;
    this.dataSocket = dataSocket;
    client.onEvent((event) => {
      if (event.kind === "log") this.#logs.fire(event);
      if (event.kind === "ejected") this.#ejected.fire(event.driveId);
      if (event.kind === "detached") this.#detached.fire(event.diskId);
      if (event.kind === "reset") this.#logs.fire({ level: "info", message: "The machine was reset" });
      if (event.kind === "runState" && event.state === "paused" && event.message !== null) {
        this.#stalled.fire(event.message);
      }
      if (event.kind === "runState" && event.state === "stopped") {
        this.#stopped = event;
        void client.end();
      }
    });
    void client.exited.then(() => {
      for (const tap of this.#taps.values()) tap.dispose();
    });
  }

  /** Settles when the end of the process has been taken in: recorded, and the machine in its new state. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  settleEnded(): void {
    this.#ended.resolve();
  }

  /** Serial output of one port, kept from the first call on, with the engine's scroll-back before it. */
  console(port: number): ConsoleTap {
    let tap = this.#taps.get(port);
    if (!tap) {
      tap = new ConsoleTap(this.dataSocket, port);
      this.#taps.set(port, tap);
    }
    return tap;
  }

  /** How the machine ended, once the process is gone. */
  explain(exit: ProcessExit): VmOutcome {
    if (this.outcome !== null) return this.outcome;
    switch (this.#stopped?.reason) {
      case "guest-shutdown":
      case "power-off":
        return { kind: "off" };
      case "triple-fault":
        return failed(
          this.#stopped.message ?? "The guest's processor shut down after a triple fault",
          "The guest system crashed.",
        );
      case "failed":
        return failed(this.#stopped.message ?? "The engine failed", "The machine was stopped.");
      default: {
        const said = lastLine(this.client.stderrTail());
        return failed(
          `The VM process ended unexpectedly (${describeExit(exit)})${said ? `: ${said}` : ""}`,
          "What the guest had not written to its disks is lost, as after a power failure. Disks and snapshots are kept.",
        );
      }
    }
  }
}

function failed(message: string, consequence: string): VmOutcome {
  return {
    kind: "failed",
    failure: { code: "ENGINE_FAILED", message, consequence, remedy: "Start the machine again, or restore a snapshot." },
  };
}
