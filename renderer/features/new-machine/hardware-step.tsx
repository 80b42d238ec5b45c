// Memory and processors, with zones that say what this host can give; the board and its network adapter.
import { useTranslation } from "react-i18next";
import { CPUS_MAX, MEMORY_MAX_MIB, MEMORY_MIN_MIB } from "../../../native-core/config/machine-config.ts";
import { ADAPTER_MODELS } from "../../../native-core/config/network-settings.ts";
import { useHost } from "../../app/use-host.ts";
import { RangeField } from "../../forms/range-field.tsx";
import { memoryZones, processorZones } from "../../forms/zones.ts";
import { FormField } from "./form-field.tsx";
import { SelectField } from "./select-field.tsx";

export function HardwareStep() {
  const { t } = useTranslation();
  const host = useHost();
  return (
    <>
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
      <FormField
        name="cpuCount"
        label={t("create.processors")}
        render={(props, field) => (
          <RangeField
            control={props}
            label={t("create.processors")}
            value={field.value}
            min={1}
            max={CPUS_MAX}
            step={1}
            unit=""
            zones={processorZones(host)}
            onChange={field.onChange}
          />
        )}
      />
      <SelectField
        name="chipset"
        label={t("create.chipset")}
        options={(["i440fx", "q35"] as const).map((value) => ({ value, label: t(`create.chipsets.${value}`) }))}
      />
      <SelectField
        name="adapterModel"
        label={t("create.adapter")}
        options={ADAPTER_MODELS.map((value) => ({ value, label: t(`network.models.${value}`) }))}
      />
    </>
  );
}
