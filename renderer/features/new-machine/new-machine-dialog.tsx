// New machine: Starter Linux in one click; anything else step by step, or on one page for those who know. Both fill in the same form.
import { Button, Dialog, DialogBody, DialogFooter, Switch } from "@blueprintjs/core";
import type { ReactElement } from "react";
import { Controller, FormProvider } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { FailureText } from "../notifications/failure-text.tsx";
import { DiskStep } from "./disk-step.tsx";
import { HardwareStep } from "./hardware-step.tsx";
import { PlanSentence, Summary } from "./plan.tsx";
import { STEPS, type Step } from "./schema.ts";
import { StarterCard } from "./starter-card.tsx";
import { SystemStep } from "./system-step.tsx";
import { useNewMachine } from "./use-new-machine.ts";
import "./new-machine.css";

const CONTENT: Record<Step, ReactElement> = {
  system: <SystemStep />,
  hardware: <HardwareStep />,
  disk: <DiskStep />,
  summary: <Summary />,
};

function StepList({ current }: { readonly current: Step }) {
  const { t } = useTranslation();
  return (
    <ol className="wizard-steps" aria-label={t("create.steps")}>
      {STEPS.map((step, index) => (
        <li key={step} aria-current={step === current ? "step" : undefined}>
          <span className="wizard-number">{index + 1}</span>
          {t(`create.step.${step}`)}
        </li>
      ))}
    </ol>
  );
}

export default function NewMachineDialog({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  const wizard = usePreference("wizard");
  const { form, failure, step, back, next, submit } = useNewMachine(wizard, onClose);
  const last = !wizard || step === "summary";
  return (
    <Dialog isOpen title={t("create.title")} onClose={onClose} className="new-machine" canOutsideClickClose={false}>
      <form noValidate onSubmit={last ? submit : next}>
        <DialogBody useOverflowScrollContainer={false}>
          {(!wizard || step === "system") && <StarterCard onClose={onClose} />}
          <div className="new-machine-mode">
            {wizard ? <StepList current={step} /> : <h3>{t("create.custom")}</h3>}
            <Switch
              label={t("create.onePage")}
              checked={!wizard}
              onChange={(event) => setPreference("wizard", !event.currentTarget.checked)}
            />
          </div>
          <FormProvider {...form}>
            <div className="form" role="group" aria-label={t(wizard ? `create.step.${step}` : "create.custom")}>
              {wizard ? CONTENT[step] : [<SystemStep key="s" />, <HardwareStep key="h" />, <DiskStep key="d" />]}
            </div>
            <PlanSentence />
          </FormProvider>
          {failure && (
            <div className="form-failure" role="alert">
              <FailureText failure={failure} />
            </div>
          )}
        </DialogBody>
        <DialogFooter
          actions={
            <>
              <Button text={t("common.cancel")} onClick={onClose} />
              {wizard && <Button text={t("create.back")} disabled={step === "system"} onClick={back} />}
              <Button
                type="submit"
                intent="primary"
                text={last ? t("common.create") : t("create.next")}
                loading={form.formState.isSubmitting}
              />
            </>
          }
        >
          <Controller
            control={form.control}
            name="startNow"
            render={({ field }) => (
              <Switch
                label={t("create.startNow")}
                checked={field.value}
                onChange={(event) => field.onChange(event.currentTarget.checked)}
              />
            )}
          />
        </DialogFooter>
      </form>
    </Dialog>
  );
}
