// A link in the output of a guest: the guest chose where it leads, so the address is shown before anything is opened.
import { i18n } from "../../i18n/index.ts";
import { platform } from "../../platform/index.ts";
import { notify } from "../notifications/model.ts";

export function offerLink(uri: string): void {
  const copy = { label: i18n.t("console.copy"), run: () => void navigator.clipboard.writeText(uri) };
  const open = { label: i18n.t("console.openLink"), run: () => void window.open(uri, "_blank", "noopener,noreferrer") };
  // The desktop shell opens no pages but its own.
  const actions = platform.kind === "browser" ? [open, copy] : [copy];
  notify({ kind: "info", title: i18n.t("console.link"), detail: uri, actions });
}
