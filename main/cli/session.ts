// What a command gets: where the data folder is, how to answer, and a connection to the host when it asks for one.
import { AppError, isAppError } from "../../native-core/common/errors.ts";
import type { MachineSummary, Snapshot, TrashEntry } from "../contract/schemas.ts";
import { connectRpc, type RpcClient, type RpcConnection } from "../rpc/client.ts";
import type { HostControl } from "../web-host/control-file.ts";
import { ensureHost } from "./host-process.ts";

export interface SessionOptions {
  readonly home: string;
  readonly json: boolean;
}

export class Session {
  readonly home: string;
  readonly json: boolean;
  #connection: (RpcConnection & { control: HostControl }) | null = null;

  constructor(options: SessionOptions) {
    this.home = options.home;
    this.json = options.json;
  }

  /** The running host, or one that is started in the background. */
  async client(): Promise<RpcClient> {
    return (await this.#connect()).client;
  }

  async control(): Promise<HostControl> {
    return (await this.#connect()).control;
  }

  /** By name or id. */
  async machine(reference: string): Promise<MachineSummary> {
    const machines = await (await this.client()).machines.list();
    const found =
      machines.find((machine) => machine.id === reference) ??
      machines.find((machine) => machine.name === reference) ??
      machines.find((machine) => machine.name.toLowerCase() === reference.toLowerCase());
    if (found) return found;
    throw new AppError("NOT_FOUND", `There is no machine "${reference}"`, {
      field: "name",
      remedy: "`terrarium list` shows the machines.",
    });
  }

  /** By name or id; of several with one name the newest. */
  async snapshot(machineId: string, reference: string): Promise<Snapshot> {
    const { snapshots } = await (await this.client()).snapshots.tree({ id: machineId });
    const found =
      snapshots.find((snapshot) => snapshot.id === reference) ??
      snapshots.findLast((snapshot) => snapshot.name === reference);
    if (found) return found;
    throw new AppError("NOT_FOUND", `There is no snapshot "${reference}"`, {
      field: "snapshot",
      remedy: "`terrarium snapshot list NAME` shows them.",
    });
  }

  /** What the trash calls it, or a user; of several with one name the one deleted last. */
  async trashEntry(reference: string, isWanted: (entry: TrashEntry) => boolean = () => true): Promise<TrashEntry> {
    const entries = (await (await this.client()).trash.list()).filter(isWanted);
    const found =
      entries.find(({ name }) => name === reference || name.endsWith(`-${reference}`)) ??
      entries.find(({ kind, machineId }) => kind === "machine" && machineId === reference) ??
      entries.find(({ label }) => label === reference);
    if (found) return found;
    throw new AppError("NOT_FOUND", `There is no "${reference}" in the trash`, {
      ...{ field: "name", remedy: "`terrarium trash list` shows what is there." },
    });
  }

  /** A removed machine in the trash, by id or name; of several with one name the one removed last. */
  async trashed(reference: string): Promise<string> {
    const entries = await (await this.client()).trash.list();
    const machines = entries.filter(({ kind }) => kind === "machine");
    const found =
      machines.find((entry) => entry.machineId === reference) ??
      machines.find((entry) => entry.machineName === reference);
    if (found?.machineId) return found.machineId;
    throw new AppError("NOT_FOUND", `There is no machine "${reference}" in the trash`, {
      field: "name",
      remedy: "`terrarium trash list` shows what is there.",
    });
  }

  /** Answers with `value` as JSON, or with `text` for people. */
  print(value: unknown, text: string): void {
    if (this.json) process.stdout.write(`${JSON.stringify(value)}\n`);
    else if (text !== "") process.stdout.write(`${text}\n`);
  }

  /** What a failed command means: when the host is gone, that, and not what it did to the calls under way. */
  explain(error: unknown): unknown {
    if (isAppError(error) || this.#connection?.isLost() !== true) return error;
    return new AppError(
      "IO_ERROR",
      "The host ended before the command was answered",
      {
        file: this.home,
        consequence: "The command may have been carried out or not.",
        remedy: "`terrarium list` starts the host again and shows the machines' states.",
      },
      { cause: error },
    );
  }

  close(): void {
    this.#connection?.close();
  }

  async #connect(): Promise<RpcConnection & { control: HostControl }> {
    if (this.#connection === null) {
      const control = await ensureHost(this.home);
      this.#connection = { ...(await connectRpc(control)), control };
    }
    return this.#connection;
  }
}
