// What will happen, in one sentence.
import { i18n } from "../../i18n/index.ts";
import { formatMiB } from "../../ui/format.ts";
import { asksNothing, bootFileOf, hostNameFor, type NewMachineForm, usesReadyDisk } from "./schema.ts";

const fileName = (file: string): string => file.split(/[\\/]/).at(-1) ?? file;

function sourceText(form: NewMachineForm): string {
  const file = fileName(bootFileOf(form));
  const name = form.name.trim() || i18n.t("create.plan.unnamed");
  if (form.source === "network" && !file) return i18n.t("create.plan.networkOnly", { name });
  return file ? i18n.t(`create.plan.${form.source}`, { name, file }) : i18n.t("create.plan.nothing", { name });
}

function setupText(form: NewMachineForm): string {
  if (!asksNothing(form)) return "";
  const how = usesReadyDisk(form) ? "create.plan.setsUp" : "create.plan.installs";
  return i18n.t(how, {
    user: form.user || i18n.t("create.plan.someone"),
    host: form.hostName || hostNameFor(form.name),
  });
}

function diskText(form: NewMachineForm): string {
  if (usesReadyDisk(form)) return i18n.t("create.plan.copiedDisk", { size: formatMiB(form.diskSizeMiB || 0) });
  if (form.diskKind === "create") return i18n.t("create.plan.newDisk", { size: formatMiB(form.diskSizeMiB || 0) });
  if (form.diskKind === "none") return i18n.t("create.plan.noDisk");
  return form.source === "disk" ? "" : i18n.t("create.plan.oldDisk", { file: fileName(form.diskFile) });
}

/** The sentence for a form that may still be incomplete. */
export function planOf(form: NewMachineForm): string {
  const hardware = i18n.t("create.plan.hardware", {
    memory: formatMiB(form.memoryMiB || 0),
    processors: i18n.t("create.plan.processors", { count: form.cpuCount || 1 }),
  });
  const start = i18n.t(form.startNow ? "create.plan.startNow" : "create.plan.startLater");
  return [sourceText(form), setupText(form), hardware, diskText(form), start].filter(Boolean).join(" ");
}
