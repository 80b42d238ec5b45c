// Something that opens below its button: menus, the notifications, a question. Blueprint's positioning for React 19, plain and quick.
import { PopoverNext } from "@blueprintjs/core";
import type { ReactElement } from "react";

interface Props {
  readonly content: ReactElement;
  /** Which edge of the button it lines up with. */
  readonly align: "start" | "end";
  readonly disabled?: boolean;
  /** It is gone, and the focus is back at the button. */
  onClosed?(): void;
  /** The button. */
  readonly children: ReactElement;
}

export function DropDown({ content, align, disabled = false, onClosed, children }: Props) {
  return (
    <PopoverNext
      content={content}
      placement={align === "start" ? "bottom-start" : "bottom-end"}
      arrow={false}
      animation="minimal"
      disabled={disabled}
      {...(onClosed && { onClosed })}
    >
      {children}
    </PopoverNext>
  );
}
