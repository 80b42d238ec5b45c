// The fields of the custom form, each with its own message.
import { InputGroup, SegmentedControl } from "@blueprintjs/core";
import type { ReactElement } from "react";
import { Controller, type ControllerRenderProps, useFormContext } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { MEMORY_MAX_MIB, MEMORY_MIN_MIB } from "../../../native-core/config/machine-config.ts";
import { useHost } from "../../app/use-host.ts";
import { type ControlProps, Field } from "../../forms/field.tsx";
import { FileField } from "../../forms/file-field.tsx";
import { RangeField } from "../../forms/range-field.tsx";
import { SizeField } from "../../forms/size-field.tsx";
import { memoryZones } from "../../forms/zones.ts";
import { formatBytes } from "../../ui/format.ts";
import { DISK_KINDS, type NewMachineForm } from "./schema.ts";

type Name = Exclude<keyof NewMachineForm, "startNow" | "diskKind">;

interface FormFieldProps<N extends Name> {
  readonly name: N;
  readonly label: string;
  readonly help?: string;
  render(control: ControlProps, field: ControllerRenderProps<NewMachineForm, N>): ReactElement;
}

function FormField<N extends Name>({ name, label, help, render }: FormFieldProps<N>) {
  const { control } = useFormContext<NewMachineForm>();
  return (
    <Controller
      control={control}
      name={name}
      render={({ field, fieldState }) => (
        <Field label={label} name={name} error={fieldState.error?.message} {...(help && { help })}>
          {(props) => render(props, field)}
        </Field>
      )}
    />
  );
}

function DiskFields() {
  const { t } = useTranslation();
  const host = useHost();
  const { control, watch } = useFormContext<NewMachineForm>();
  const kind = watch("diskKind");
  return (
    <>
      <Controller
        control={control}
        name="diskKind"
        render={({ field }) => (
          <Field label={t("create.disk")}>
            {() => (
              <SegmentedControl
                aria-label={t("create.disk")}
                size="small"
                options={DISK_KINDS.map((value) => ({ value, label: t(`create.diskKinds.${value}`) }))}
                value={field.value}
                onValueChange={field.onChange}
              />
            )}
          </Field>
        )}
      />
      {kind === "create" && (
        <FormField
          name="diskSizeMiB"
          label={t("create.diskSize")}
          help={t("create.space", { free: formatBytes(host?.freeDiskBytes ?? 0) })}
          render={(props, field) => <SizeField control={props} valueMiB={field.value} onChange={field.onChange} />}
        />
      )}
      {kind === "existing" && (
        <FormField
          name="diskFile"
          label={t("create.diskFile")}
          render={(props, field) => <FileField control={props} value={field.value} onChange={field.onChange} />}
        />
      )}
    </>
  );
}

export function NewMachineFields() {
  const { t } = useTranslation();
  const host = useHost();
  return (
    <div className="form">
      <FormField
        name="name"
        label={t("create.name")}
        render={(props, { value, ref, ...field }) => (
          <InputGroup {...props} {...field} inputRef={ref} value={value} autoComplete="off" />
        )}
      />
      <FormField
        name="kernel"
        label={t("create.kernel")}
        help={t("create.kernelHint")}
        render={(props, field) => <FileField control={props} value={field.value} onChange={field.onChange} />}
      />
      <FormField
        name="initrd"
        label={t("create.initrd")}
        render={(props, field) => (
          <FileField control={props} value={field.value} placeholder={t("common.optional")} onChange={field.onChange} />
        )}
      />
      <FormField
        name="commandLine"
        label={t("create.commandLine")}
        render={(props, { value, ref, ...field }) => (
          <InputGroup {...props} {...field} inputRef={ref} className="mono-input" spellCheck={false} value={value} />
        )}
      />
      <FormField
        name="memoryMiB"
        label={t("create.memory")}
        render={(props, field) => (
          <RangeField
            control={props}
            label={t("create.memory")}
            value={field.value}
            min={MEMORY_MIN_MIB}
            max={MEMORY_MAX_MIB}
            step={64}
            unit="MiB"
            zones={memoryZones(host)}
            onChange={field.onChange}
          />
        )}
      />
      <DiskFields />
    </div>
  );
}
