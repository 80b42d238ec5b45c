// The first disk: a new one that grows, an image that is there, or none.
import { SegmentedControl } from "@blueprintjs/core";
import { useFormContext, useWatch } from "react-hook-form";
import { useTranslation } from "react-i18next";
import { DISK_BUSES } from "../../../native-core/config/machine-config.ts";
import { useHost } from "../../app/use-host.ts";
import { FileField } from "../../forms/file-field.tsx";
import { SizeField } from "../../forms/size-field.tsx";
import { formatBytes } from "../../ui/format.ts";
import { FormField } from "./form-field.tsx";
import { DISK_KINDS, type NewMachineForm } from "./schema.ts";
import { SelectField } from "./select-field.tsx";

export function DiskStep() {
  const { t } = useTranslation();
  const host = useHost();
  const { control } = useFormContext<NewMachineForm>();
  const [kind, source, releaseKind] = useWatch({ control, name: ["diskKind", "source", "releaseKind"] });
  const isReady = source === "download" && releaseKind === "disk";
  // Its image was asked for where it was chosen to boot from.
  const bus = (
    <SelectField name="diskBus" label={t("create.diskBus")} help={t("create.diskBusHelp")} options={[...DISK_BUSES]} />
  );
  if (source === "disk") {
    return (
      <>
        <p className="muted">{t("create.diskChosen")}</p>
        {bus}
      </>
    );
  }
  return (
    <>
      {isReady && <p className="muted">{t("create.readyDisk")}</p>}
      {!isReady && (
        <FormField
          name="diskKind"
          label={t("create.disk")}
          render={(_, field) => (
            <SegmentedControl
              aria-label={t("create.disk")}
              size="small"
              options={DISK_KINDS.map((value) => ({ value, label: t(`create.diskKinds.${value}`) }))}
              value={field.value}
              onValueChange={field.onChange}
            />
          )}
        />
      )}
      {(kind === "create" || isReady) && (
        <FormField
          name="diskSizeMiB"
          label={t("create.diskSize")}
          help={t("create.space", { free: formatBytes(host?.freeDiskBytes ?? 0) })}
          render={(props, field) => <SizeField control={props} valueMiB={field.value} onChange={field.onChange} />}
        />
      )}
      {kind === "existing" && !isReady && (
        <FormField
          name="diskFile"
          label={t("create.diskFile")}
          render={(props, field) => <FileField control={props} value={field.value} onChange={field.onChange} />}
        />
      )}
      {(kind !== "none" || isReady) && bus}
    </>
  );
}
