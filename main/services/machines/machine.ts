// One machine of the list: its durable record, its state of the moment and, while it runs, its VM process.
import { assert } from "../../../native-core/common/assert.ts";
import type { VmMetrics } from "../../../native-core/protocol/engine.ts";
import type { MachineState, MachineSummary } from "../../contract/schemas.ts";
import type { MachinePaths } from "../../store/data-folder.ts";
import type { MachineRecord } from "../../store/machine-record.ts";
import type { Store } from "../../store/store.ts";
import type { RunningVm } from "../../supervisor/running-vm.ts";
import type { EventHub } from "../events.ts";
import { failureOf } from "../failures.ts";
import { Mutex } from "../mutex.ts";
import { currentSnapshot } from "../snapshots/visible.ts";
import { MachineLog } from "./machine-log.ts";
import { canChange } from "./states.ts";

/** The file system took a change but not the request to make it last. */
export const UNCONFIRMED =
  "The disk doesn't confirm that the last change would survive a power failure. It holds as long as the computer runs; check the disk.";

export type RecordChange = Partial<Omit<MachineRecord, "id" | "recordVersion" | "revision" | "createdAtMs">>;

export class Machine {
  readonly id: string;
  readonly paths: MachinePaths;
  readonly log: MachineLog;
  /** Life-cycle operations of one machine run one after the other. */
  readonly operations = new Mutex();
  /** Set while disk clean-up runs or waits to run (snapshots/cleanup.ts). */
  cleanup: AbortController | null = null;
  vm: RunningVm | null = null;
  /** Of an encrypted machine: whether its passphrase is still wanted (encryption.ts). */
  locked = true;
  metrics: VmMetrics | null = null;
  readonly #store: Store;
  readonly #events: EventHub;
  readonly #writes = new Mutex();
  #record: MachineRecord;
  #state: MachineState;
  /** Whether machine.json is older than the record. */
  #behind = false;

  constructor(record: MachineRecord, store: Store, events: EventHub) {
    this.id = record.id;
    this.#record = record;
    this.#state = record.state === "running" ? "aborted" : record.state;
    this.#store = store;
    this.#events = events;
    this.paths = store.paths(record.id);
    this.log = new MachineLog(this.paths.logs);
  }

  get record(): MachineRecord {
    return this.#record;
  }

  get name(): string {
    return this.#record.config.name;
  }

  get state(): MachineState {
    return this.#state;
  }

  /** Runs a life-cycle operation when those before it have ended; clean-up in the background gives way. */
  operate<T>(work: () => Promise<T>): Promise<T> {
    this.cleanup?.abort();
    return this.operations.run(work);
  }

  /** Durable change; `change` sees the newest record. When it rejects nothing has changed. */
  update(change: (record: MachineRecord) => RecordChange): Promise<void> {
    return this.#writes.run(async () => {
      const next = { ...this.#record, ...change(this.#record), revision: this.#record.revision + 1 };
      if (!(await this.#store.commit(next))) void this.log.write("error", UNCONFIRMED);
      this.#behind = false;
      // Transitions may have counted on meanwhile.
      this.#record = { ...next, revision: Math.max(next.revision, this.#record.revision + 1) };
      this.publish();
    });
  }

  /**
   * Records what has happened already and can't be refused, such as the end of the VM process. Should the disk be full, it holds in
   * memory and is written with the next change, or by `writeBehind`.
   */
  async settle(change: (record: MachineRecord) => RecordChange): Promise<void> {
    try {
      await this.update(change);
    } catch (error) {
      this.#record = { ...this.#record, ...change(this.#record), revision: this.#record.revision + 1 };
      this.#behind = true;
      this.publish();
      void this.log.write("error", `machine.json could not be written: ${failureOf(error).message}`);
    }
  }

  /** Writes what `settle` could not; what can't be written now either is reconciled at the next start. */
  async writeBehind(): Promise<void> {
    if (this.#behind) await this.update(() => ({})).catch(() => undefined);
  }

  /** Change of the moment; what must survive is written with `update` beside it. */
  transition(to: MachineState): void {
    if (this.#state === to) return;
    assert(canChange(this.#state, to), `transition ${this.#state} to ${to}`);
    this.#state = to;
    this.#record = { ...this.#record, revision: this.#record.revision + 1 };
    this.publish();
  }

  publish(): void {
    this.#events.emit({ kind: "machine", machine: this.summary() });
  }

  publishSnapshots(): void {
    this.#events.emit({ kind: "snapshots", machineId: this.id });
  }

  summary(): MachineSummary {
    const record = this.#record;
    const current = currentSnapshot(record);
    return {
      id: record.id,
      name: record.config.name,
      osType: record.config.osType,
      group: record.config.group,
      state: this.#state,
      currentSnapshotName: current?.name ?? null,
      lastFailure: record.lastFailure,
      template: record.template,
      encryption: record.encryption === null ? "none" : this.locked ? "locked" : "unlocked",
      createdAtMs: record.createdAtMs,
      revision: record.revision,
    };
  }
}
