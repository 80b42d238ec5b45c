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
import type { NewMachineForm, Step } from "./schema.ts";
import { SetupStep } from "./setup-step.tsx";
import { StarterCard } from "./starter-card.tsx";
import { SystemStep } from "./system-step.tsx";
import { useNewMachine } from "./use-new-machine.ts";
import "./new-machine.css";

const CONTENT: Record<Step, ReactElement> = {
  system: <SystemStep />,
  setup: <SetupStep />,
  hardware: <HardwareStep />,
  disk: <DiskStep />,
  summary: <Summary />,
};

const ON_ONE_PAGE = [
  <SystemStep key="system" />,
  <SetupStep key="setup" />,
  <HardwareStep key="hardware" />,
  <DiskStep key="disk" />,
];

function StepList({ current, steps }: { readonly current: Step; readonly steps: readonly Step[] }) {
  const { t } = useTranslation();
  return (
    <ol className="wizard-steps" aria-label={t("create.steps")}>
      {steps.map((step, index) => (
        <li key={step} aria-current={step === current ? "step" : undefined}>
          <span className="wizard-number">{index + 1}</span>
          {t(`create.step.${step}`)}
        </li>
      ))}
    </ol>
  );
}

interface Props {
  /** A file that was dropped on the window: what the machine is to boot from. */
  readonly start?: Partial<NewMachineForm> | undefined;
  onClose(): void;
}

export default function NewMachineDialog({ start, onClose }: Props) {
  const { t } = useTranslation();
  const wizard = usePreference("wizard");
  const { form, failure, step, steps, back, next, submit } = useNewMachine(wizard, onClose, start);
  const last = !wizard || step === "summary";
  return (
    <Dialog isOpen title={t("create.title")} onClose={onClose} className="new-machine" canOutsideClickClose={false}>
      <form noValidate onSubmit={last ? submit : next}>
        <DialogBody useOverflowScrollContainer={!wizard}>
          {(!wizard || step === "system") && <StarterCard onClose={onClose} />}
          <div className="new-machine-mode">
            {wizard ? <StepList current={step} steps={steps} /> : <h3>{t("create.custom")}</h3>}
            <Switch
              label={t("create.onePage")}
              checked={!wizard}
              onChange={(event) => setPreference("wizard", !event.currentTarget.checked)}
            />
          </div>
          <FormProvider {...form}>
            <div className="form" role="group" aria-label={t(wizard ? `create.step.${step}` : "create.custom")}>
              {wizard ? CONTENT[step] : ON_ONE_PAGE}
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
