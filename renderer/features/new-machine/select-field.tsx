// One choice of the form of a new machine.
import type { HTMLSelectProps } from "@blueprintjs/core";
import { Select } from "../../ui/select.tsx";
import { FormField } from "./form-field.tsx";

interface Props {
  readonly name: "chipset" | "adapterModel" | "diskBus";
  readonly label: string;
  readonly help?: string;
  readonly options: NonNullable<HTMLSelectProps["options"]>;
}

export function SelectField({ options, ...field }: Props) {
  return (
    <FormField
      {...field}
      render={(props, { value, onChange }) => (
        <Select {...props} options={options} value={value} onChange={(event) => onChange(event.target.value)} />
      )}
    />
  );
}
