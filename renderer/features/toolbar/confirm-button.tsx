// A command that loses something which can't be taken back: it says so in a popover and wants a second click there.
import { Button, Classes } from "@blueprintjs/core";
import type { ReactElement } from "react";
import { DropDown } from "../../ui/drop-down.tsx";

interface Props {
  readonly icon: ReactElement;
  readonly text: string;
  readonly warning: string;
  readonly disabled: boolean;
  onConfirm(): void;
}

export function ConfirmButton({ icon, text, warning, disabled, onConfirm }: Props) {
  const content = (
    <div className="confirm">
      <p>{warning}</p>
      <Button autoFocus intent="danger" className={Classes.POPOVER_DISMISS} text={text} onClick={onConfirm} />
    </div>
  );
  return (
    <DropDown content={content} align="start" disabled={disabled}>
      <Button variant="minimal" icon={icon} text={text} title={text} disabled={disabled} />
    </DropDown>
  );
}
