// The fields of a page, or those that the filter found. Lists have editors of their own; everything else comes from its schema.
import { Controller, type FieldPath, type UseFormReturn } from "react-hook-form";
import { useTranslation } from "react-i18next";
import type { MachineDetails, MachineState } from "../../../main/contract/schemas.ts";
import type { ChangeTime } from "../../../native-core/config/field.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import { Field } from "../../forms/field.tsx";
import type { SchemaField } from "../../forms/schema-fields.ts";
import { isOff, isStill } from "../machines/rules.ts";
import { DisksEditor } from "./disks-editor.tsx";
import { errorMessage } from "./error-message.ts";
import { SchemaControl } from "./schema-control.tsx";
import { SerialEditor } from "./serial-editor.tsx";
import type { NewDisk } from "./use-settings.ts";

interface Props {
  readonly form: UseFormReturn<MachineConfig>;
  readonly machine: MachineDetails;
  readonly fields: readonly SchemaField[];
  readonly newDisks: readonly NewDisk[];
  onNewDisks(disks: readonly NewDisk[]): void;
}

function useLockReason(state: MachineState): (change: ChangeTime) => string | undefined {
  const { t } = useTranslation();
  return (change) => {
    if (change === "off" && !isOff(state)) return t("settings.lockedOff");
    if (change === "saved" && !isStill(state)) return t("settings.lockedSaved");
    return undefined;
  };
}

export function SettingsForm({ form, machine, fields, newDisks, onNewDisks }: Props) {
  const lockReason = useLockReason(machine.state);
  return (
    <div className="form">
      {fields.map(({ path, meta, schema }) => {
        const locked = lockReason(meta.change);
        const shared = { control: form.control, locked, label: meta.label };
        if (path === "disks")
          return <DisksEditor key={path} {...shared} machine={machine} newDisks={newDisks} onNewDisks={onNewDisks} />;
        if (path === "serial") return <SerialEditor key={path} {...shared} help={meta.help} />;
        return (
          <Controller
            key={path}
            control={form.control}
            name={path as FieldPath<MachineConfig>}
            render={({ field, fieldState }) => (
              <Field
                label={meta.label}
                help={meta.help}
                name={path}
                locked={locked}
                error={errorMessage(fieldState.error)}
              >
                {(control) => (
                  <SchemaControl
                    control={control}
                    meta={meta}
                    path={path}
                    schema={schema}
                    value={field.value}
                    disabled={locked !== undefined}
                    onChange={field.onChange}
                    onBlur={field.onBlur}
                  />
                )}
              </Field>
            )}
          />
        );
      })}
    </div>
  );
}
