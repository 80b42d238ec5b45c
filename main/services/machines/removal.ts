// Removing a machine is moving its folder to the trash, so it can be undone; deleting for good is a second step.
import { rm } from "node:fs/promises";
import { AppError } from "../../../native-core/common/errors.ts";
import { moveIntoPlace } from "../../store/atomic-file.ts";
import { crashPoint } from "../../store/crash-points.ts";
import { machinePathsIn } from "../../store/data-folder.ts";
import { withIoFailures } from "../../store/io-error.ts";
import { readRecordFile, writeRecordFile } from "../../store/record-file.ts";
import { findInTrash, moveToTrash } from "../../store/trash.ts";
import type { ServiceContext } from "../context.ts";
import { Machine } from "./machine.ts";
import { requireState } from "./states.ts";

export async function removeMachine(context: ServiceContext, machine: Machine, permanently: boolean): Promise<void> {
  await machine.operate(async () => {
    requireState(machine.name, machine.state, ["powered-off", "saved", "aborted"], "removed");
    const { store, registry, events } = context;
    const trashed = await withIoFailures(machine.paths.folder, { consequence: "The machine was not removed." }, () =>
      moveToTrash(store.data, machine.paths.folder, machine.id),
    );
    crashPoint("remove:folder-moved");
    await store.forget(machine.id);
    registry.delete(machine.id);
    events.emit({ kind: "machineRemoved", id: machine.id });
    if (permanently) await rm(trashed, { recursive: true, force: true });
  });
}

export async function undoRemove(context: ServiceContext, id: string): Promise<Machine> {
  const { store, registry, events } = context;
  const trashed = await findInTrash(store.data, id);
  if (trashed === null) {
    throw new AppError("NOT_FOUND", `The machine ${id} is not in the trash`, {
      field: "id",
      consequence: "It can't be brought back.",
      remedy: "Restore its folder from a backup.",
    });
  }
  const found = await readRecordFile(machinePathsIn(trashed).record);
  if (found === null) throw new AppError("CORRUPT_STORE", `There is no machine.json in ${trashed}`, { file: trashed });
  // Its name may have been taken meanwhile.
  const name = registry.freeName(found.config.name);
  const reservation = registry.reserveName(name);
  try {
    const record = { ...found, revision: found.revision + 1, config: { ...found.config, name } };
    const paths = store.paths(id);
    await writeRecordFile(machinePathsIn(trashed).record, record);
    await withIoFailures(trashed, { consequence: "The machine stays in the trash." }, () =>
      moveIntoPlace(trashed, paths.folder),
    );
    crashPoint("undo:folder-moved");
    await store.adopt(record);
    const machine = new Machine(record, store, events);
    registry.add(machine);
    machine.publish();
    return machine;
  } finally {
    reservation.dispose();
  }
}
