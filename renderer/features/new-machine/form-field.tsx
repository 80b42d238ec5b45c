// One field of the form of a new machine, with its message.
import type { ReactElement, ReactNode } from "react";
import { Controller, type ControllerRenderProps, useFormContext } from "react-hook-form";
import { type ControlProps, Field } from "../../forms/field.tsx";
import type { NewMachineForm } from "./schema.ts";

interface Props<N extends keyof NewMachineForm> {
  readonly name: N;
  readonly label: string;
  readonly help?: ReactNode;
  render(control: ControlProps, field: ControllerRenderProps<NewMachineForm, N>): ReactElement;
}

export function FormField<N extends keyof NewMachineForm>({ name, label, help, render }: Props<N>) {
  const { control } = useFormContext<NewMachineForm>();
  return (
    <Controller
      control={control}
      name={name}
      render={({ field, fieldState }) => (
        <Field label={label} name={name} error={fieldState.error?.message} {...(help !== undefined && { help })}>
          {(props) => render(props, field)}
        </Field>
      )}
    />
  );
}
