// Takes a disk out of a machine, also a running one. Failures become notifications; a disk that the guest keeps can be pulled out.
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { i18n } from "../../i18n/index.ts";
import { notify, notifyFailure } from "../notifications/model.ts";

export async function removeDisk(machineId: string, diskId: string, force = false): Promise<void> {
  try {
    const { removed } = await client.machines.removeDisk({ id: machineId, diskId, force });
    notify(
      removed
        ? { kind: "success", title: i18n.t("disks.removed", { disk: diskId }), detail: i18n.t("settings.detachHint") }
        : {
            kind: "info",
            title: i18n.t("disks.kept", { disk: diskId }),
            detail: i18n.t("disks.keptBody"),
            actions: [{ label: i18n.t("discs.force"), run: () => void removeDisk(machineId, diskId, true) }],
          },
    );
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  }
}
