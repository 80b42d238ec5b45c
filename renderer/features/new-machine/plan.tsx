// What will happen, in one sentence that follows the form as it is filled in; at the end with everything as a list.
import { useFormContext, useWatch } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { Row } from "../../ui/box.tsx";
import { formatMiB } from "../../ui/format.ts";
import { planOf } from "./plan-text.ts";
import { DISK_KINDS, type NewMachineForm, SOURCES } from "./schema.ts";

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
  const files = { disc: form.iso, disk: form.diskFile, kernel: form.kernel };
  return (
    <dl className="new-machine-summary selectable">
      <Row label={t("create.name")}>{form.name}</Row>
      <Row label={t("create.source")}>
        {t(`create.sources.${source}`)} <span className="mono">{files[source]}</span>
      </Row>
      <Row label={t("create.memory")}>{formatMiB(form.memoryMiB)}</Row>
      <Row label={t("create.processors")}>{form.cpuCount}</Row>
      <Row label={t("create.disk")}>
        {kind === "create" ? formatMiB(form.diskSizeMiB) : t(`create.diskKinds.${kind}`)}
      </Row>
    </dl>
  );
}
