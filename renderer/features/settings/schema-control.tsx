// The control for a setting, chosen by its metadata and schema.
import { InputGroup, Switch, TextArea } from "@blueprintjs/core";
import { useTranslation } from "react-i18next";
import type { z } from "zod";
import type { FieldMeta } from "../../../native-core/config/field.ts";
import { useHost } from "../../app/use-host.ts";
import { useChoiceLabel } from "../../forms/choice-label.ts";
import type { ControlProps } from "../../forms/field.tsx";
import { FileField } from "../../forms/file-field.tsx";
import { RangeField } from "../../forms/range-field.tsx";
import { choices, fieldText, numberLimits } from "../../forms/schema-fields.ts";
import { zonesOf } from "../../forms/zones.ts";
import { unitText } from "../../i18n/config-texts.ts";
import { Select } from "../../ui/select.tsx";

interface Props {
  readonly control: ControlProps;
  readonly meta: FieldMeta;
  readonly path: string;
  readonly schema: z.ZodType;
  readonly value: unknown;
  readonly disabled: boolean;
  onChange(value: unknown): void;
  onBlur(): void;
}

/** Steps that keep the slider on round numbers. */
const stepFor = (max: number): number => (max > 256 ? 64 : max > 16 ? 4 : 1);

function TextControl({ control, meta, schema, value, disabled, onChange, onBlur }: Props) {
  const text = typeof value === "string" ? value : "";
  // An emptied field of a setting that may be absent is absent, not an empty text.
  const change = (next: string) => onChange(next === "" && schema.safeParse(null).success ? null : next);
  if (meta.control === "file" || meta.control === "folder")
    return <FileField control={control} choose={meta.control} value={text} disabled={disabled} onChange={change} />;
  const shared = { ...control, value: text, disabled, onBlur };
  if (meta.control === "multiline")
    return <TextArea {...shared} fill rows={8} onChange={(event) => change(event.target.value)} />;
  return <InputGroup {...shared} fill spellCheck={false} onChange={(event) => change(event.target.value)} />;
}

export function SchemaControl(props: Props) {
  const { control, meta, path, schema, value, disabled, onChange, onBlur } = props;
  const host = useHost();
  const choiceLabel = useChoiceLabel();
  const { t } = useTranslation();
  const options = choices(schema);
  if (options.length === 1) {
    return (
      <output className="field-static" id={control.id}>
        {choiceLabel(String(value))}
      </output>
    );
  }
  if (options.length > 1) {
    return (
      <Select
        {...control}
        disabled={disabled}
        value={String(value)}
        options={options.map((choice) => ({ value: choice, label: choiceLabel(choice) }))}
        onChange={(event) => onChange(event.target.value)}
        onBlur={onBlur}
      />
    );
  }
  if (meta.control === "slider") {
    const { min, max } = numberLimits(schema);
    return (
      <RangeField
        control={control}
        label={fieldText({ path, meta }, "label")}
        value={Number(value)}
        min={min}
        max={max}
        step={stepFor(max)}
        unit={unitText(meta.unit ?? "")}
        disabled={disabled}
        zones={zonesOf(path, host)}
        onChange={onChange}
      />
    );
  }
  if (typeof value === "boolean") {
    return (
      <Switch
        {...control}
        checked={value}
        disabled={disabled}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    );
  }
  if (typeof value === "number") {
    return (
      <div className="field-row">
        <InputGroup
          {...control}
          className="field-number"
          type="number"
          value={Number.isFinite(value) ? String(value) : ""}
          disabled={disabled}
          onChange={(event) => onChange(event.target.valueAsNumber)}
          onBlur={onBlur}
        />
        {meta.unit && <span className="muted">{unitText(meta.unit)}</span>}
      </div>
    );
  }
  if (Array.isArray(value)) {
    return (
      <output className="field-static muted" id={control.id}>
        {t("settings.listOnly", { count: value.length, path })}
      </output>
    );
  }
  return <TextControl {...props} />;
}
