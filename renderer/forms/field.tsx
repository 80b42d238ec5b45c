// A labelled control with help, unit and the message of what is wrong, wired up for screen readers.
import { type ReactNode, useId } from "react";
import { messageText } from "../i18n/config-texts.ts";
import "./forms.css";

export interface ControlProps {
  readonly id: string;
  readonly "aria-invalid": boolean | undefined;
  readonly "aria-describedby": string | undefined;
}

interface Props {
  readonly label: string;
  readonly help?: ReactNode;
  readonly error?: string | undefined;
  /** Path of the field, so that a failure can lead the eye here. */
  readonly name?: string;
  children(control: ControlProps): ReactNode;
}

export function Field({ label, help, error, name, children }: Props) {
  const id = useId();
  const helpId = `${id}-help`;
  const errorId = `${id}-error`;
  const describedBy = [error && errorId, help && helpId].filter(Boolean).join(" ");
  return (
    <div className="field" data-field={name}>
      <label htmlFor={id}>{label}</label>
      <div className="field-control">
        {children({ id, "aria-invalid": error ? true : undefined, "aria-describedby": describedBy || undefined })}
        {error && (
          <p className="field-error" id={errorId} role="alert">
            {messageText(error)}
          </p>
        )}
        {help && (
          <p className="field-help" id={helpId}>
            {help}
          </p>
        )}
      </div>
    </div>
  );
}
