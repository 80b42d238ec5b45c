// Takes a disk out of a machine, also a running one, puts it back or deletes its image. Failures become notifications; a disk that the guest keeps can be pulled out.
import { toFailure } from "../../api/failure.ts";
import { client, queryClient } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { i18n } from "../../i18n/index.ts";
import { notify, notifyFailure } from "../notifications/model.ts";
import { notifyDeleted } from "../trash/undo-deletion.ts";

export async function removeDisk(machineId: string, diskId: string, force = false): Promise<void> {
  try {
    const { removed, file } = await client.machines.removeDisk({ id: machineId, diskId, force });
    notify(
      removed
        ? {
            kind: "success",
            title: i18n.t("disks.removed", { disk: diskId }),
            detail: i18n.t("settings.detachHint"),
            actions: file === null ? [] : [{ label: i18n.t("common.undo"), run: () => void putBack(machineId, file) }],
          }
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

/** Puts a disk back that was taken out; `file` is its image. */
export async function putBack(machineId: string, file: string): Promise<void> {
  try {
    const { name, config } = await client.machines.attachDisk({ id: machineId, file });
    const disk = config.disks.at(-1)?.id ?? "";
    notify({ kind: "success", title: i18n.t("media.isBack", { machine: name, name: disk }) });
    await queryClient.invalidateQueries({ queryKey: keys.disks });
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  }
}

/** Deletes the image of a disk that was taken out; it can be undone. */
export async function deleteImage(machineId: string, file: string, name: string): Promise<void> {
  try {
    const { undo } = await client.disks.delete({ id: machineId, file });
    notifyDeleted(i18n.t("media.deleted", { name }), undo);
    await queryClient.invalidateQueries({ queryKey: keys.disks });
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  }
}
