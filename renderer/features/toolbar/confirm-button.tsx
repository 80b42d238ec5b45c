// A command that loses something which can't be taken back: it says so in a popover and wants a second click there.
import { Button, Classes, Popover } from "@blueprintjs/core";
import type { ReactElement } from "react";

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
    <Popover content={content} placement="bottom-start" minimal disabled={disabled}>
      <Button variant="minimal" icon={icon} text={text} title={text} disabled={disabled} />
    </Popover>
  );
}
