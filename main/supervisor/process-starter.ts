// Starts VM processes, and one in advance where it is known that it will be wanted in a moment: starting a process and loading the
// engine takes longer than most of what it is started for.
import type { VmLauncher } from "./launcher.ts";
import { VmClient, type VmTimeouts } from "./vm-client.ts";

export class ProcessStarter {
  readonly #launcher: VmLauncher;
  readonly #timeouts: VmTimeouts;
  #spare: { readonly module: string; readonly client: Promise<VmClient> } | null = null;

  constructor(launcher: VmLauncher, timeouts: VmTimeouts) {
    this.#launcher = launcher;
    this.#timeouts = timeouts;
  }

  /** Starts a process that the next `take` of the same module gets. */
  prepare(module: string): void {
    if (this.#spare?.module === module) return;
    this.dispose();
    const client = VmClient.connect(this.#launcher(module), this.#timeouts);
    // Reported by whoever takes it.
    client.catch(() => undefined);
    this.#spare = { module, client };
  }

  /** A process that has shaken hands. @throws AppError TIMEOUT, VERSION_MISMATCH, ENGINE_FAILED. */
  async take(module: string): Promise<VmClient> {
    const spare = this.#spare;
    if (spare?.module === module) {
      this.#spare = null;
      const client = await spare.client;
      if (!client.hasExited) return client;
    }
    return VmClient.connect(this.#launcher(module), this.#timeouts);
  }

  /** Ends a process that nobody took. */
  dispose(): void {
    const spare = this.#spare;
    this.#spare = null;
    void spare?.client.then((client) => client.kill()).catch(() => undefined);
  }
}
