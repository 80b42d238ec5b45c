// What belongs to the app, not to a machine: command palette, appearance, about.
import { Button, Menu, MenuDivider, MenuItem } from "@blueprintjs/core";
import { CogIcon, ImportIcon, InfoSignIcon, MenuIcon, SearchIcon, TrashIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import { openDialog } from "../../app/navigation.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";
import { THEMES } from "../../app/preferences-format.ts";
import { shortcutLabel } from "../../app/shortcuts.ts";
import { ChoiceItem } from "../../ui/choice-item.tsx";
import { DropDown } from "../../ui/drop-down.tsx";

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
          stays
          key={theme}
          chosen={chosen === theme}
          text={t(`command.theme.${theme}`)}
          onChoose={() => setPreference("theme", theme)}
        />
      ))}
      <MenuDivider />
      <ChoiceItem
        stays
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
