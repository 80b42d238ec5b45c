// A disk size in MiB or GiB; the value is always MiB.
import { InputGroup } from "@blueprintjs/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Select } from "../ui/select.tsx";
import type { ControlProps } from "./field.tsx";

const FACTORS = { MiB: 1, GiB: 1024 } as const;
type Unit = keyof typeof FACTORS;

interface Props {
  readonly control: ControlProps;
  /** NaN while the text is not a number. */
  readonly valueMiB: number;
  onChange(valueMiB: number): void;
}

export function SizeField({ control, valueMiB, onChange }: Props) {
  const { t } = useTranslation();
  const [unit, setUnit] = useState<Unit>(valueMiB % 1024 === 0 ? "GiB" : "MiB");
  const factor = FACTORS[unit];
  return (
    <div className="field-row">
      <InputGroup
        {...control}
        className="field-number"
        type="number"
        min={1}
        value={Number.isFinite(valueMiB) ? String(valueMiB / factor) : ""}
        onChange={(event) => onChange(Math.round(event.target.valueAsNumber * factor))}
      />
      <Select
        aria-label={t("settings.diskSize")}
        options={Object.keys(FACTORS)}
        value={unit}
        onChange={(event) => {
          const next = event.target.value === "GiB" ? "GiB" : "MiB";
          setUnit(next);
          // The number stays as typed, the unit changes: "8 MiB" becomes "8 GiB".
          onChange(Math.round((valueMiB / factor) * FACTORS[next]));
        }}
      />
    </div>
  );
}
