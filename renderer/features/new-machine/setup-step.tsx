// Answers for a system that can be installed or set up without questions: user, password, host name, language, time zone, keyboard.
import { InputGroup, Switch } from "@blueprintjs/core";
import { Controller, useFormContext, useWatch } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { FormField } from "./form-field.tsx";
import { canAnswer, hostNameFor, type NewMachineForm } from "./schema.ts";

/** In the order in which people think of them; `wide` ones hold names, others short codes. */
const TEXTS = ["user", "password", "fullName", "hostName", "locale", "timeZone", "keyboard"] as const;

export function SetupStep() {
  const { t } = useTranslation();
  const { control } = useFormContext<NewMachineForm>();
  const [kind, source, unattended, name] = useWatch({
    control,
    name: ["unattendedKind", "source", "unattended", "name"],
  });
  const can = canAnswer({ source, unattendedKind: kind });
  return (
    <>
      <Controller
        control={control}
        name="unattended"
        render={({ field }) => (
          <Switch
            className="setup-switch"
            label={t("create.unattended")}
            checked={can && field.value}
            disabled={!can}
            onChange={(event) => field.onChange(event.currentTarget.checked)}
          />
        )}
      />
      <p className="muted setup-hint">{t(can ? "create.unattendedHint" : "create.unattendedNot")}</p>
      {can &&
        unattended &&
        TEXTS.map((field) => (
          <FormField
            key={field}
            name={field}
            label={t(`create.answers.${field}`)}
            render={(props, { value, ref, ...rest }) => (
              <InputGroup
                {...props}
                {...rest}
                inputRef={ref}
                type={field === "password" ? "password" : "text"}
                autoComplete={field === "password" ? "new-password" : "off"}
                spellCheck={false}
                placeholder={
                  field === "hostName" ? hostNameFor(name) : field === "fullName" ? t("common.optional") : undefined
                }
                value={value}
              />
            )}
          />
        ))}
    </>
  );
}
