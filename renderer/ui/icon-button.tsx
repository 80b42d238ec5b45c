// A small button that is only an icon: the label is its name and its tooltip.
import { Button } from "@blueprintjs/core";
import type { ReactElement } from "react";

interface Props {
  readonly icon: ReactElement;
  readonly label: string;
  /** More than the label, for the tooltip. */
  readonly hint?: string;
  readonly disabled?: boolean;
  readonly active?: boolean;
  onClick(): void;
}

export function IconButton({ icon, label, hint, disabled = false, active = false, onClick }: Props) {
  return (
    <Button
      variant="minimal"
      icon={icon}
      aria-label={label}
      title={hint ? `${label}: ${hint}` : label}
      disabled={disabled}
      active={active}
      onClick={onClick}
    />
  );
}
