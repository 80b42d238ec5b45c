// State of the dialog of a new machine: the form, the step of the wizard, and what the host refused.
import { type FormEvent, useState } from "react";
import { type FieldErrors, useForm, useWatch } from "react-hook-form";
import type { Failure } from "../../../main/contract/schemas.ts";
import { failureSentence, toFailure } from "../../api/failure.ts";
import { client } from "../../api/index.ts";
import { zodResolver } from "../../forms/zod-resolver.ts";
import { i18n } from "../../i18n/index.ts";
import { adoptMachine } from "../machines/adopt.ts";
import { runCommand } from "../machines/run-command.ts";
import { notify } from "../notifications/model.ts";
import {
  canAnswer,
  createRequest,
  formFieldOf,
  NEW_MACHINE_DEFAULTS,
  type NewMachineForm,
  newMachineSchema,
  STEP_FIELDS,
  STEPS,
  type Step,
  stepOf,
} from "./schema.ts";

/** Locale and time zone of this computer, as an installer wants them. */
function hereAndNow(): Partial<NewMachineForm> {
  const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions();
  const { language, region } = new Intl.Locale(locale);
  return { timeZone, ...(region !== undefined && { locale: `${language}_${region}` }) };
}

export function useNewMachine(wizard: boolean, onClose: () => void, start: Partial<NewMachineForm> = {}) {
  const [failure, setFailure] = useState<Failure | null>(null);
  const [step, setStep] = useState<Step>("system");
  const form = useForm<NewMachineForm>({
    defaultValues: { ...NEW_MACHINE_DEFAULTS, ...hereAndNow(), ...start },
    resolver: zodResolver(newMachineSchema),
    mode: "onTouched",
  });

  const [kind, source] = useWatch({ control: form.control, name: ["unattendedKind", "source"] });
  // Who can't be asked anything is not led past an empty step.
  const steps = STEPS.filter((each) => each !== "setup" || canAnswer({ source, unattendedKind: kind }));
  const move = (by: 1 | -1) => setStep(steps[steps.indexOf(step) + by] ?? step);

  const next = (event: FormEvent) => {
    event.preventDefault();
    // Only what this step asks has to be right to leave it.
    const fields = STEP_FIELDS[step].filter((field) => field !== "diskFile" || form.getValues("source") !== "disk");
    void form.trigger(fields, { shouldFocus: true }).then((right) => right && move(1));
  };

  const create = async (values: NewMachineForm) => {
    setFailure(null);
    try {
      const machine = await client.machines.create(createRequest(values));
      adoptMachine(machine);
      notify({ kind: "success", title: i18n.t("create.created", { name: machine.name }) });
      onClose();
      if (values.startNow) void runCommand("start", machine);
    } catch (error) {
      const cause = toFailure(error);
      const field = formFieldOf(cause.field, values);
      if (!field) return setFailure(cause);
      setStep(stepOf(field));
      form.setError(field, { message: failureSentence(cause) }, { shouldFocus: true });
    }
  };

  const showFirstError = (errors: FieldErrors<NewMachineForm>) => {
    const [first] = Object.keys(errors) as (keyof NewMachineForm)[];
    if (wizard && first) setStep(stepOf(first));
  };

  return {
    form,
    failure,
    step,
    steps,
    back: () => move(-1),
    next,
    submit: (event: FormEvent) => void form.handleSubmit(create, showFirstError)(event),
  };
}
