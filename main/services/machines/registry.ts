// The machines of this data folder, by id. Names are unique among them.

import { type Disposable, toDisposable } from "../../../native-core/common/disposable.ts";
import { AppError } from "../../../native-core/common/errors.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import type { Machine } from "./machine.ts";

export class MachineRegistry {
  readonly #machines = new Map<string, Machine>();
  /** Names promised to work in progress. */
  readonly #reserved = new Set<string>();

  list(): Machine[] {
    return [...this.#machines.values()].sort((a, b) => a.name.localeCompare(b.name));
  }

  add(machine: Machine): void {
    this.#machines.set(machine.id, machine);
  }

  delete(id: string): void {
    this.#machines.delete(id);
  }

  get(id: string): Machine {
    const machine = this.#machines.get(id);
    if (machine) return machine;
    throw new AppError("NOT_FOUND", `There is no machine ${id}`, {
      field: "id",
      remedy: "Look at the list of machines.",
    });
  }

  /** None that is in the trash. */
  ofSnapshot(snapshotId: string): { machine: Machine; snapshot: SnapshotRecord } {
    for (const machine of this.#machines.values()) {
      const snapshot = machine.record.snapshots.find((each) => each.id === snapshotId);
      if (snapshot?.deletedAtMs === null) return { machine, snapshot };
    }
    throw new AppError("NOT_FOUND", `There is no snapshot ${snapshotId}`, {
      field: "snapshotId",
      remedy: "Look at the machine's snapshots.",
    });
  }

  /** Keeps `name` until disposed, so that two requests at once can't both get it. */
  reserveName(name: string, except?: Machine): Disposable {
    const key = nameKey(name);
    const holder = this.list().find((machine) => machine !== except && nameKey(machine.name) === key);
    if (holder || this.#reserved.has(key)) {
      throw new AppError("ALREADY_EXISTS", `There is already a machine called "${name}"`, {
        field: "name",
        consequence: "Nothing was changed.",
        remedy: "Choose another name.",
      });
    }
    this.#reserved.add(key);
    return toDisposable(() => this.#reserved.delete(key));
  }

  /** `base`, or `base 2`, `base 3`, ... */
  freeName(base: string): string {
    const taken = new Set([...this.list().map((machine) => nameKey(machine.name)), ...this.#reserved]);
    if (!taken.has(nameKey(base))) return base;
    let number = 2;
    while (taken.has(nameKey(`${base} ${number}`))) number += 1;
    return `${base} ${number}`;
  }
}

/** Names that a user would not tell apart are the same. */
function nameKey(name: string): string {
  return name.trim().normalize("NFC").toLowerCase();
}
