// Saves the machine's screen as the host sees it: full size, no scaling, also while the machine is off.
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { i18n } from "../../i18n/index.ts";
import { download, pngBlob } from "../../ui/download.ts";
import { notify, notifyFailure } from "../notifications/model.ts";

export async function saveScreenshot(machine: MachineSummary): Promise<void> {
  try {
    const shot = await client.machines.screenshot({ id: machine.id });
    const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    download(`${machine.name} ${stamp}.png`, pngBlob(shot.pngBase64));
    notify({ kind: "success", title: i18n.t("notices.screenshotSaved") });
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  }
}
