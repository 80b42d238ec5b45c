// Starts VM processes, and one in advance where it is known that it will be wanted in a moment: starting a process and loading the
// engine takes longer than most of what it is started for. While a machine runs, going back and forking are a click away, so one process is
// kept ready for that; an app without running machines keeps none.
import { freemem } from "node:os";
import type { VmLauncher } from "./launcher.ts";
import { VmClient, type VmTimeouts } from "./vm-client.ts";

/** Not beside the start that was asked for, nor beside a boot behind it: one keeps two processors busy, and each waits for the others. */
const READY_DELAY_MS = { boots: 3000, continues: 1000 } as const;
const REST_DELAY_MS = 10_000;
/** A process that waits takes about 150 MB; a host with less than this free needs them more. */
const READY_MIN_FREE_BYTES = 2 ** 30;

export class ProcessStarter {
  readonly #launcher: VmLauncher;
  readonly #timeouts: VmTimeouts;
  readonly #keepsReady: boolean;
  /** Starts a process or ends it, whichever is next. */
  #soon: NodeJS.Timeout | undefined;
  #spare: { readonly module: string; readonly client: Promise<VmClient> } | null = null;

  /** `keepsReady`: whether processes wait while machines run. */
  constructor(launcher: VmLauncher, timeouts: VmTimeouts, keepsReady: boolean) {
    this.#launcher = launcher;
    this.#timeouts = timeouts;
    this.#keepsReady = keepsReady;
  }

  /** A machine runs: has a process wait for the next one, in a moment. */
  keepReady(module: string, machine: keyof typeof READY_DELAY_MS): void {
    if (!this.#keepsReady) return;
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => {
      if (freemem() >= READY_MIN_FREE_BYTES) this.prepare(module);
    }, READY_DELAY_MS[machine]);
    this.#soon.unref();
  }

  /** No machine runs any more: ends the process that waits, unless one is started again soon, as when going back to a snapshot. */
  restSoon(): void {
    if (!this.#keepsReady) return;
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => this.dispose(), REST_DELAY_MS);
    this.#soon.unref();
  }

  /** What was prepared is not wanted after all. */
  release(): void {
    if (!this.#keepsReady) this.dispose();
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
    clearTimeout(this.#soon);
    const spare = this.#spare;
    this.#spare = null;
    void spare?.client.then((client) => client.kill()).catch(() => undefined);
  }
}
