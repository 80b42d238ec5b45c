// An entry of a menu that is on or off: a tick for the eye, a word for screen readers.
import { MenuItem } from "@blueprintjs/core";
import { BlankIcon, TickIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";

interface Props {
  readonly chosen: boolean;
  readonly text: string;
  /** Keys that do the same. */
  readonly label?: string;
  /** The menu stays open, to choose more. */
  readonly stays?: boolean;
  onChoose(): void;
}

export function ChoiceItem({ chosen, text, label, stays = false, onChoose }: Props) {
  const { t } = useTranslation();
  return (
    <MenuItem
      icon={chosen ? <TickIcon /> : <BlankIcon />}
      text={
        <>
          {text}
          {chosen && <span className="visually-hidden"> ({t("command.chosen")})</span>}
        </>
      }
      {...(label !== undefined && { label })}
      shouldDismissPopover={!stays}
      onClick={onChoose}
    />
  );
}
