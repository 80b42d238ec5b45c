// The fields of a page, or those that the filter found: what was changed is marked and can be taken back one by one, what takes effect
// while the machine runs says so.
import { Button, Tag } from "@blueprintjs/core";
import { LockIcon, UndoIcon } from "@blueprintjs/icons";
import { Controller, type FieldPath, type UseFormReturn, useWatch } from "react-hook-form";
import { useTranslation } from "react-i18next";
import type { MachineState } from "../../../main/contract/schemas.ts";
import { settingValue } from "../../../native-core/config/changes.ts";
import type { ChangeTime } from "../../../native-core/config/field.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import { Field } from "../../forms/field.tsx";
import { fieldText, type SchemaField } from "../../forms/schema-fields.ts";
import { isLive, isOff, isStill } from "../machines/rules.ts";
import { EDITORS, type EditorProps } from "./editors.ts";
import { errorMessage } from "./error-message.ts";
import { SchemaControl } from "./schema-control.tsx";

interface Props extends Omit<EditorProps, "control" | "field" | "locked"> {
  readonly form: UseFormReturn<MachineConfig>;
  readonly fields: readonly SchemaField[];
  /** The configuration as it is on the host. */
  readonly saved: MachineConfig;
}

/** Whether a setting has to wait, by when it may change. */
const isLocked = (change: ChangeTime, state: MachineState): boolean =>
  (change === "off" && !isOff(state)) || (change === "saved" && !isStill(state));

/** What the greyed settings below wait for, once for all of them. */
function LockNote({ fields, state }: { readonly fields: readonly SchemaField[]; readonly state: MachineState }) {
  const { t } = useTranslation();
  const locked = fields.map(({ meta }) => meta.change).filter((change) => isLocked(change, state));
  if (locked.length === 0) return null;
  return (
    <p className="muted">
      <LockIcon size={12} /> {t(locked.includes("off") ? "settings.lockedOff" : "settings.lockedSaved")}
    </p>
  );
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Beside a changed setting: that it is, when it counts, and the way back. */
function Marks({ field, form, saved, machine }: Pick<Props, "form" | "saved" | "machine"> & { field: SchemaField }) {
  const { t } = useTranslation();
  const name = field.path as FieldPath<MachineConfig>;
  const value = useWatch({ control: form.control, name });
  const before = settingValue(saved, field.path);
  if (same(value, before)) return null;
  const label = fieldText(field, "label");
  return (
    <div className="field-marks">
      <Tag minimal intent="primary">
        {t("settings.changed")}
      </Tag>
      {isLive(machine.state) && <span className="muted">{t("settings.appliesNow")}</span>}
      <Button
        size="small"
        variant="minimal"
        icon={<UndoIcon />}
        text={t("settings.revert")}
        aria-label={t("settings.revertField", { label })}
        onClick={() => form.setValue(name, before as never, { shouldValidate: true, shouldDirty: true })}
      />
    </div>
  );
}

export function SettingsForm({ form, fields, saved, ...editor }: Props) {
  const { machine } = editor;
  return (
    <div className="form">
      <LockNote fields={fields} state={machine.state} />
      {fields.map((declared) => {
        const { path, meta, schema } = declared;
        const locked = isLocked(meta.change, machine.state);
        const Editor = EDITORS[path];
        const marks = <Marks field={declared} form={form} saved={saved} machine={machine} />;
        if (Editor)
          return (
            <div key={path}>
              <Editor {...editor} control={form.control} field={declared} locked={locked} />
              {marks}
            </div>
          );
        return (
          <Controller
            key={path}
            control={form.control}
            name={path as FieldPath<MachineConfig>}
            render={({ field, fieldState }) => (
              <div>
                <Field
                  label={fieldText(declared, "label")}
                  help={fieldText(declared, "help")}
                  name={path}
                  error={errorMessage(fieldState.error)}
                >
                  {(control) => (
                    <SchemaControl
                      control={control}
                      meta={meta}
                      path={path}
                      schema={schema}
                      value={field.value}
                      disabled={locked}
                      onChange={field.onChange}
                      onBlur={field.onBlur}
                    />
                  )}
                </Field>
                {marks}
              </div>
            )}
          />
        );
      })}
    </div>
  );
}
