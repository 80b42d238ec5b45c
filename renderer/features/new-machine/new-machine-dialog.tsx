// New machine: Starter Linux in one click, or one page for a kernel of one's own.
import { Button, Dialog, DialogBody, DialogFooter, Switch } from "@blueprintjs/core";
import { PlayIcon } from "@blueprintjs/icons";
import { useState } from "react";
import { Controller, FormProvider, useForm } from "react-hook-form";
import { useTranslation } from "react-i18next";
import type { Failure } from "../../../main/contract/schemas.ts";
import icon from "../../../resources/icons/terrarium.svg";
import { failureSentence, toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { useHost } from "../../app/use-host.ts";
import { zodResolver } from "../../forms/zod-resolver.ts";
import { adoptMachine } from "../machines/adopt.ts";
import { runCommand } from "../machines/run-command.ts";
import { FailureText } from "../notifications/failure-text.tsx";
import { notify } from "../notifications/model.ts";
import { NewMachineFields } from "./new-machine-fields.tsx";
import { createRequest, formFieldOf, NEW_MACHINE_DEFAULTS, type NewMachineForm, newMachineSchema } from "./schema.ts";
import { useStarter } from "./use-starter.ts";
import "./new-machine.css";

function StarterCard({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  const host = useHost();
  const starter = useStarter();
  const available = host?.starterAvailable ?? false;
  return (
    <section className="starter-card" aria-label={t("create.starter")}>
      <img src={icon} alt="" width={40} height={40} />
      <div className="starter-card-text">
        <h3>{t("create.starter")}</h3>
        <p className="muted">{available ? t("create.starterBody") : t("welcome.noStarter")}</p>
      </div>
      <Button
        intent="primary"
        icon={<PlayIcon />}
        text={t("create.starterAction")}
        disabled={!available || starter.creating}
        onClick={() => void starter.createAndStart().then((created) => created && onClose())}
      />
    </section>
  );
}

export default function NewMachineDialog({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  const [failure, setFailure] = useState<Failure | null>(null);
  const form = useForm<NewMachineForm>({
    defaultValues: NEW_MACHINE_DEFAULTS,
    resolver: zodResolver(newMachineSchema),
    mode: "onTouched",
  });

  const create = async (values: NewMachineForm) => {
    setFailure(null);
    try {
      const machine = await client.machines.create(createRequest(values));
      adoptMachine(machine);
      notify({ kind: "success", title: t("create.created", { name: machine.name }) });
      onClose();
      if (values.startNow) void runCommand("start", machine);
    } catch (error) {
      const cause = toFailure(error);
      const field = formFieldOf(cause.field, values);
      if (field) form.setError(field, { message: failureSentence(cause) }, { shouldFocus: true });
      else setFailure(cause);
    }
  };

  return (
    <Dialog isOpen title={t("create.title")} onClose={onClose} className="new-machine" canOutsideClickClose={false}>
      <form noValidate onSubmit={(event) => void form.handleSubmit(create)(event)}>
        <DialogBody useOverflowScrollContainer={false}>
          <StarterCard onClose={onClose} />
          <h3 className="new-machine-heading">{t("create.custom")}</h3>
          <p className="muted new-machine-lead">{t("create.customBody")}</p>
          <FormProvider {...form}>
            <NewMachineFields />
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
              <Button type="submit" intent="primary" text={t("common.create")} loading={form.formState.isSubmitting} />
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
