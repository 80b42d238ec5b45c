// A slider with its number beside it. Coloured zones say what is comfortable; the limits are the schema's.
import { InputGroup } from "@blueprintjs/core";
import type { CSSProperties } from "react";
import { formatMiB } from "../ui/format.ts";
import type { ControlProps } from "./field.tsx";
import type { Zones } from "./zones.ts";

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
  const at = (value: number) => `${Math.min(1, Math.max(0, (value - min) / (max - min))) * 100}%`;
  const [warn, danger] = [at(zones.warnFrom), at(zones.dangerFrom)];
  const track = `linear-gradient(to right, var(--ok) ${warn}, var(--warn) ${warn} ${danger}, var(--danger) ${danger})`;
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
  if (!zones || !(value >= zones.warnFrom)) return null;
  return <p className="field-warning">{value >= zones.dangerFrom ? zones.danger : zones.warning}</p>;
}
