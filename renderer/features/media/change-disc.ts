// Puts discs into drives and takes them out. Failures become notifications; a disc that the guest keeps can be forced out.
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { i18n } from "../../i18n/index.ts";
import { notify, notifyFailure } from "../notifications/model.ts";

export type Drive = MachineDetails["config"]["opticalDrives"][number];

/** `file` null takes the disc out. */
export async function changeDisc(
  machineId: string,
  driveId: string,
  file: string | null,
  force = false,
): Promise<void> {
  try {
    const { changed } = await client.media.changeDisc({ id: machineId, driveId, file, force });
    if (changed) return;
    notify({
      kind: "info",
      title: i18n.t("discs.kept"),
      detail: i18n.t("discs.keptBody"),
      actions: [{ label: i18n.t("discs.force"), run: () => void changeDisc(machineId, driveId, file, true) }],
    });
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  }
}
