// A slider with its number beside it. Coloured zones say what is comfortable; the limits are the schema's.
import { InputGroup } from "@blueprintjs/core";
import type { CSSProperties } from "react";
import { useTranslation } from "react-i18next";
import { formatMiB } from "../ui/format.ts";
import type { ControlProps } from "./field.tsx";

export interface Zones {
  /** From here on little is left for the host. */
  readonly warnFrom: number;
  readonly freeMiB: number;
}

interface Props {
  readonly control: ControlProps;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly unit: string;
  readonly label: string;
  readonly disabled?: boolean;
  readonly zones?: Zones | undefined;
  onChange(value: number): void;
}

function trackStyle({ min, max, zones }: Props): CSSProperties | undefined {
  if (!zones) return undefined;
  const share = Math.min(1, Math.max(0, (zones.warnFrom - min) / (max - min))) * 100;
  const track = `linear-gradient(to right, var(--ok) ${share}%, var(--warn) ${share}%)`;
  return { "--range-track": track } as CSSProperties;
}

const endLabel = (value: number, unit: string): string =>
  unit === "MiB" ? formatMiB(value) : `${value} ${unit}`.trim();

export function RangeField(props: Props) {
  const { control, value, min, max, step, unit, label, disabled = false, onChange } = props;
  const shown = Number.isFinite(value) ? value : min;
  return (
    <>
      <div className="field-row">
        <div className="range" style={trackStyle(props)}>
          <input
            type="range"
            aria-label={label}
            aria-valuetext={endLabel(shown, unit)}
            min={min}
            max={max}
            step={step}
            value={shown}
            disabled={disabled}
            onChange={(event) => onChange(event.target.valueAsNumber)}
          />
          <div className="range-ends number" aria-hidden="true">
            <span>{endLabel(min, unit)}</span>
            <span>{endLabel(max, unit)}</span>
          </div>
        </div>
        <InputGroup
          {...control}
          className="field-number"
          type="number"
          min={min}
          max={max}
          disabled={disabled}
          value={Number.isFinite(value) ? String(value) : ""}
          onChange={(event) => onChange(event.target.valueAsNumber)}
        />
        <span className="muted">{unit}</span>
      </div>
      <ZoneHint value={value} zones={props.zones} />
    </>
  );
}

/** The zone in words, for those who can't tell it from the colour. */
function ZoneHint({ value, zones }: { readonly value: number; readonly zones: Zones | undefined }) {
  const { t } = useTranslation();
  if (!zones || !(value >= zones.warnFrom)) return null;
  return <p className="field-warning">{t("settings.memoryTight", { free: formatMiB(zones.freeMiB) })}</p>;
}
