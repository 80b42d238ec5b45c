// What belongs to the app, not to a machine: command palette, appearance, about.
import { Button, Menu, MenuDivider, MenuItem } from "@blueprintjs/core";
import {
  BlankIcon,
  CogIcon,
  ImportIcon,
  InfoSignIcon,
  MenuIcon,
  SearchIcon,
  TickIcon,
  TrashIcon,
} from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import { openDialog } from "../../app/navigation.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { THEMES } from "../../app/preferences-format.ts";
import { shortcutLabel } from "../../app/shortcuts.ts";
import { DropDown } from "../../ui/drop-down.tsx";

interface ChoiceProps {
  readonly chosen: boolean;
  readonly text: string;
  onChoose(): void;
}

/** An entry that is on or off: a tick for the eye, a word for screen readers. */
function ChoiceItem({ chosen, text, onChoose }: ChoiceProps) {
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
      shouldDismissPopover={false}
      onClick={onChoose}
    />
  );
}

function AppMenuContent() {
  const { t } = useTranslation();
  const chosen = usePreference("theme");
  const screenReader = usePreference("screenReader");
  return (
    <Menu>
      <MenuItem
        icon={<SearchIcon />}
        text={t("command.palette")}
        label={shortcutLabel("Ctrl+K")}
        onClick={() => openDialog({ kind: "palette" })}
      />
      <MenuItem
        icon={<CogIcon />}
        text={t("preferences.menu")}
        label={shortcutLabel("Ctrl+;")}
        onClick={() => openDialog({ kind: "preferences" })}
      />
      <MenuItem icon={<ImportIcon />} text={t("command.import")} onClick={() => openDialog({ kind: "import" })} />
      <MenuItem icon={<TrashIcon />} text={t("command.trash")} onClick={() => openDialog({ kind: "trash" })} />
      <MenuDivider title={t("command.theme.label")} />
      {THEMES.map((theme) => (
        <ChoiceItem
          key={theme}
          chosen={chosen === theme}
          text={t(`command.theme.${theme}`)}
          onChoose={() => setPreference("theme", theme)}
        />
      ))}
      <MenuDivider />
      <ChoiceItem
        chosen={screenReader}
        text={t("command.screenReader")}
        onChoose={() => setPreference("screenReader", !screenReader)}
      />
      <MenuItem icon={<InfoSignIcon />} text={t("command.about")} onClick={() => openDialog({ kind: "about" })} />
    </Menu>
  );
}

export function AppMenu() {
  const { t } = useTranslation();
  return (
    <DropDown content={<AppMenuContent />} align="end">
      <Button variant="minimal" icon={<MenuIcon />} aria-label={t("toolbar.menu")} title={t("toolbar.menu")} />
    </DropDown>
  );
}
