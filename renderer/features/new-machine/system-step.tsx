// What the machine is called and boots from. A disc that is recognized fills in what the user has not touched.
import { InputGroup, SegmentedControl } from "@blueprintjs/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useFormContext, useWatch } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { machineConfigSchema } from "../../../native-core/config/machine-config.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { useChoiceLabel } from "../../forms/choice-label.ts";
import { FileField } from "../../forms/file-field.tsx";
import { choices } from "../../forms/schema-fields.ts";
import { formatBytes } from "../../ui/format.ts";
import { Select } from "../../ui/select.tsx";
import { DownloadField } from "./download-field.tsx";
import { FormField } from "./form-field.tsx";
import { type NewMachineForm, SOURCES, suggestionsOf } from "./schema.ts";

/** What is known of the chosen disc; undefined while it is not known. */
function useDisc(file: string) {
  return useQuery({
    queryKey: keys.medium(file),
    queryFn: () => client.media.describe({ file }),
    enabled: /^([\\/]|[A-Za-z]:).+\.[a-z0-9]+$/i.test(file),
    retry: false,
    staleTime: 0,
  }).data;
}

function DiscField() {
  const { t } = useTranslation();
  const { control, setValue, formState } = useFormContext<NewMachineForm>();
  const file = useWatch({ control, name: "iso" });
  const disc = useDisc(file);
  const { dirtyFields } = formState;
  useEffect(() => {
    if (!disc) return;
    for (const [field, value] of Object.entries(suggestionsOf(disc, dirtyFields)))
      setValue(field as keyof NewMachineForm, value, { shouldValidate: true });
    // Once per disc, not whenever a field is touched.
    // oxlint-disable-next-line react/exhaustive-effect-dependencies, react-hooks/exhaustive-deps -- see above
  }, [disc, setValue]);
  const known =
    disc &&
    t(disc.bootsBios ? "create.discBoots" : "create.discMute", {
      label: disc.label || disc.name,
      size: formatBytes(disc.sizeBytes),
    });
  return (
    <FormField
      name="iso"
      label={t("create.iso")}
      help={known ?? t("create.isoHint")}
      render={(props, field) => <FileField control={props} value={field.value} onChange={field.onChange} />}
    />
  );
}

function KernelFields() {
  const { t } = useTranslation();
  return (
    <>
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
    </>
  );
}

export function SystemStep() {
  const { t } = useTranslation();
  const choiceLabel = useChoiceLabel();
  const { control, setValue } = useFormContext<NewMachineForm>();
  const source = useWatch({ control, name: "source" });
  return (
    <>
      <FormField
        name="name"
        label={t("create.name")}
        render={(props, { value, ref, ...field }) => (
          <InputGroup {...props} {...field} inputRef={ref} value={value} autoComplete="off" />
        )}
      />
      <FormField
        name="source"
        label={t("create.source")}
        help={t(`create.sourceHelp.${source}`)}
        render={(_, field) => (
          <SegmentedControl
            aria-label={t("create.source")}
            size="small"
            options={SOURCES.map((value) => ({ value, label: t(`create.sources.${value}`) }))}
            value={field.value}
            onValueChange={(value) => {
              field.onChange(value);
              if (value === "disk") setValue("diskKind", "existing");
              setValue("unattendedKind", "");
            }}
          />
        )}
      />
      {source === "download" && <DownloadField />}
      {source === "disc" && <DiscField />}
      {source === "network" && (
        <FormField
          name="networkBoot"
          label={t("create.networkBoot")}
          help={t("create.networkBootHint")}
          render={(props, field) => (
            <FileField
              control={props}
              value={field.value}
              placeholder={t("common.optional")}
              onChange={field.onChange}
            />
          )}
        />
      )}
      {source === "kernel" && <KernelFields />}
      {source === "disk" && (
        <FormField
          name="diskFile"
          label={t("create.diskFile")}
          render={(props, field) => <FileField control={props} value={field.value} onChange={field.onChange} />}
        />
      )}
      <FormField
        name="osType"
        label={t("create.osType")}
        render={(props, field) => (
          <Select
            {...props}
            value={field.value}
            options={choices(machineConfigSchema.shape.osType).map((value) => ({
              value,
              label: choiceLabel(value),
            }))}
            onChange={(event) => field.onChange(event.target.value)}
          />
        )}
      />
    </>
  );
}
