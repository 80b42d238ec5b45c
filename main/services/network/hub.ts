// The network process, which has the switches between machines: started when the first machine is plugged into one, and started again
// when it dies while machines need it. Machines connect to it by themselves, again and again.
import { fileURLToPath } from "node:url";
import { AppError } from "../../../native-core/common/errors.ts";
import { type HubInbound, type HubNetwork, hubOutboundSchema } from "../../../native-core/protocol/network.ts";
import { type DataFolder, dataSocketPath } from "../../store/data-folder.ts";
import type { VmChannel, VmLauncher } from "../../supervisor/launcher.ts";
import { log } from "../log.ts";

const MODULE = fileURLToPath(new URL("../../../native-core/host/network-process.ts", import.meta.url));
const START_MS = 15_000;
const ANSWER_MS = 5000;
/** Between the end of one network process and the start of the next. */
const RESTART_MS = 200;

export class NetworkHub {
  readonly #launch: VmLauncher;
  readonly #data: DataFolder;
  #running: Promise<VmChannel> | null = null;
  #answers = new Map<number, (networks: HubNetwork[]) => void>();
  #lastId = 0;
  #restart: NodeJS.Timeout | undefined;
  #disposed = false;

  constructor(launch: VmLauncher, data: DataFolder) {
    this.#launch = launch;
    this.#data = data;
  }

  /** Where machines connect to. */
  socketPath(): Promise<string> {
    return dataSocketPath(this.#data, "networks");
  }

  /** The process of now; for tests and the log. */
  async pid(): Promise<number | undefined> {
    return (await this.#running)?.pid;
  }

  /** Settles when the switches are there. @throws AppError TIMEOUT or ENGINE_FAILED. */
  async ensure(): Promise<void> {
    this.#running ??= this.#start().catch((error: unknown) => {
      this.#running = null;
      throw error;
    });
    await this.#running;
  }

  /** The networks that machines are plugged into now; none while there is no network process. */
  async status(): Promise<HubNetwork[]> {
    const channel = await this.#running?.catch(() => null);
    if (!channel) return [];
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = Promise.withResolvers<HubNetwork[]>();
    const timer = setTimeout(() => answer.resolve([]), ANSWER_MS);
    this.#answers.set(id, answer.resolve);
    channel.send({ kind: "status", id } satisfies HubInbound);
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#answers.delete(id);
    }
  }

  dispose(): void {
    this.#disposed = true;
    clearTimeout(this.#restart);
    void this.#running?.then((channel) => channel.kill()).catch(() => undefined);
  }

  async #start(): Promise<VmChannel> {
    const socket = await this.socketPath();
    const channel = this.#launch(MODULE);
    const listening = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => listening.reject(new AppError("TIMEOUT", "The network process did not answer after its start")),
      START_MS,
    );
    channel.onMessage((message) => {
      const outbound = hubOutboundSchema.safeParse(message).data;
      if (outbound?.kind === "hello") channel.send({ kind: "listen", socket } satisfies HubInbound);
      if (outbound?.kind === "listening") listening.resolve();
      if (outbound?.kind === "failure") listening.reject(new AppError("ENGINE_FAILED", outbound.message));
      if (outbound?.kind === "status") this.#answers.get(outbound.id)?.(outbound.networks);
    });
    channel.onExit(() => {
      listening.reject(new AppError("ENGINE_FAILED", `The network process ended: ${channel.stderrTail()}`));
      this.#ended();
    });
    try {
      await listening.promise;
      return channel;
    } catch (error) {
      channel.kill();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #ended(): void {
    this.#running = null;
    if (this.#disposed) return;
    log.warn("the network process ended; a new one is started");
    this.#restart = setTimeout(() => {
      void this.ensure().catch((error: unknown) => log.error({ err: error }, "the network process does not start"));
    }, RESTART_MS);
    this.#restart.unref();
  }
}
