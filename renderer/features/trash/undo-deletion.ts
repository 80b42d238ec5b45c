// Tells that something was deleted and offers to bring it back. Failures become notifications.
import { toFailure } from "../../api/failure.ts";
import { client, queryClient } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { i18n } from "../../i18n/index.ts";
import { formatDateTime } from "../../ui/format.ts";
import { notify, notifyFailure } from "../notifications/model.ts";

/** `undo` is what the command answered; null: it was deleted for good. */
export function notifyDeleted(title: string, undo: { readonly name: string; readonly untilMs: number } | null): void {
  if (undo === null) return;
  notify({
    kind: "info",
    title,
    detail: i18n.t("snapshots.deletedBody", { time: formatDateTime(undo.untilMs) }),
    actions: [{ label: i18n.t("common.undo"), run: () => void bringBack(undo.name) }],
  });
}

async function bringBack(name: string): Promise<void> {
  try {
    await client.trash.restore({ name });
    for (const queryKey of [keys.trash, keys.disks]) await queryClient.invalidateQueries({ queryKey });
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  }
}
