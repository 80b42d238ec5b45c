// What will happen, in one sentence that follows the form as it is filled in; at the end with everything as a list.
import { useFormContext, useWatch } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { useHost } from "../../app/use-host.ts";
import { Row } from "../../ui/box.tsx";
import { formatBytes, formatMiB } from "../../ui/format.ts";
import { planOf } from "./plan-text.ts";
import {
  asksNothing,
  bootFileOf,
  DISK_KINDS,
  hostNameFor,
  type NewMachineForm,
  SOURCES,
  usesReadyDisk,
} from "./schema.ts";

function useForm(): NewMachineForm {
  const { control } = useFormContext<NewMachineForm>();
  // All fields have values from the start.
  return useWatch({ control }) as NewMachineForm;
}

export function PlanSentence() {
  return (
    <p className="new-machine-plan" role="status">
      {planOf(useForm())}
    </p>
  );
}

export function Summary() {
  const { t } = useTranslation();
  const form = useForm();
  const source = SOURCES.find((known) => known === form.source) ?? "disc";
  const kind = DISK_KINDS.find((known) => known === form.diskKind) ?? "none";
  const host = useHost();
  const how = asksNothing(form) && !usesReadyDisk(form) ? "unattended" : usesReadyDisk(form) ? "copy" : form.source;
  return (
    <dl className="new-machine-summary selectable">
      <Row label={t("create.name")}>{form.name}</Row>
      <Row label={t("create.source")}>
        {t(`create.sources.${source}`)} <span className="mono">{bootFileOf(form)}</span>
      </Row>
      <Row label={t("create.memory")}>{formatMiB(form.memoryMiB)}</Row>
      <Row label={t("create.processors")}>{form.cpuCount}</Row>
      <Row label={t("create.chipset")}>{t(`create.chipsets.${form.chipset}`)}</Row>
      <Row label={t("create.adapter")}>{t(`network.models.${form.adapterModel}`)}</Row>
      {asksNothing(form) && (
        <Row label={t("create.step.setup")}>
          {form.user}, {form.hostName || hostNameFor(form.name)}, {form.locale}, {form.timeZone}
        </Row>
      )}
      <Row label={t("create.disk")}>
        {kind === "create" || usesReadyDisk(form) ? formatMiB(form.diskSizeMiB) : t(`create.diskKinds.${kind}`)}
        {(kind !== "none" || usesReadyDisk(form)) && ` (${form.diskBus})`}
      </Row>
      <Row label={t("create.spaceLabel")}>
        {t(kind === "create" || usesReadyDisk(form) ? "create.spaceUse" : "create.spaceNone", {
          most: formatMiB(form.diskSizeMiB || 0),
          free: formatBytes(host?.freeDiskBytes ?? 0),
        })}
      </Row>
      <Row label={t("create.timeLabel")}>{t(`create.time.${how}`)}</Row>
    </dl>
  );
}
