// Starts a machine; where that boots another disc than before, the user is offered to undo what it does.
import { client } from "../../api/index.ts";
import { i18n } from "../../i18n/index.ts";
import { notify } from "../notifications/model.ts";
import { undoWith } from "../snapshots/snapshot-actions.ts";

interface Machine {
  readonly id: string;
  readonly name: string;
}

export async function startMachine({ id, name }: Machine, bootMenu = false): Promise<void> {
  const { safetySnapshotId } = await client.machines.start({ id, bootMenu });
  if (safetySnapshotId === null) return;
  notify({
    kind: "info",
    title: i18n.t("notices.bootsDisc", { name }),
    detail: i18n.t("notices.bootsDiscBody"),
    actions: [undoWith(safetySnapshotId)],
  });
}
