// Main's side of the relay process, which carries display and console bytes between windows and VM processes, so that a guest that
// floods its screen never delays main. It is started when first needed and again if it ends.
import { type UtilityProcess, utilityProcess } from "electron";
import { minimalEnvironment } from "../supervisor/process-parts.ts";
import type { RelayRequest } from "./relay-process.ts";

export class DataRelay {
  readonly #module: string;
  #process: UtilityProcess | null = null;

  constructor(module: string) {
    this.#module = module;
  }

  /** Hands `port` over; from now on it belongs to the relay. */
  connect(request: RelayRequest, port: Electron.MessagePortMain): void {
    this.#running().postMessage(request, [port]);
  }

  dispose(): void {
    this.#process?.kill();
  }

  #running(): UtilityProcess {
    if (this.#process === null) {
      const started = utilityProcess.fork(this.#module, [], {
        env: minimalEnvironment(),
        serviceName: "Terrarium relay",
      });
      started.on("exit", () => {
        if (this.#process === started) this.#process = null;
      });
      this.#process = started;
    }
    return this.#process;
  }
}
