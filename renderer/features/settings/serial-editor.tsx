// The two serial ports: where each leads, and whether its output is kept in a file.
import { Switch } from "@blueprintjs/core";
import { Controller } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { Field } from "../../forms/field.tsx";
import { fieldText } from "../../forms/schema-fields.ts";
import { Select } from "../../ui/select.tsx";
import type { EditorProps } from "./editors.ts";

const MODES = ["console", "none"] as const;

export function SerialEditor({ control, field: declared, locked }: EditorProps) {
  const { t } = useTranslation();
  return (
    <div className="card-list" data-field="serial">
      <p className="field-help">{fieldText(declared, "help")}</p>
      {([0, 1] as const).map((port) => (
        <Controller
          key={port}
          control={control}
          name={`serial.${port}`}
          render={({ field }) => (
            <div className="card">
              <div className="card-head">
                <span className="card-title">{t(`console.ports.${port}`)}</span>
              </div>
              <Field label={t("settings.mode")}>
                {(props) => (
                  <Select
                    {...props}
                    disabled={locked}
                    value={field.value.mode}
                    options={MODES.map((value) => ({ value, label: t(`settings.modes.${value}`) }))}
                    onChange={(event) => field.onChange({ ...field.value, mode: event.target.value })}
                  />
                )}
              </Field>
              <Field label={t("settings.logFile")}>
                {(props) => (
                  <Switch
                    {...props}
                    checked={field.value.log}
                    disabled={locked}
                    onChange={(event) => field.onChange({ ...field.value, log: event.currentTarget.checked })}
                  />
                )}
              </Field>
            </div>
          )}
        />
      ))}
    </div>
  );
}
