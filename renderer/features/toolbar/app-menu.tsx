// What belongs to the app, not to a machine: command palette, appearance, about.
import { Button, Menu, MenuDivider, MenuItem, Popover } from "@blueprintjs/core";
import { BlankIcon, InfoSignIcon, MenuIcon, SearchIcon, TickIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import { openDialog } from "../../app/navigation.ts";
import { setPreference, usePreference } from "../../app/preferences.ts";

const THEMES = ["system", "light", "dark"] as const;

function AppMenuContent() {
  const { t } = useTranslation();
  const chosen = usePreference("theme");
  const screenReader = usePreference("screenReader");
  return (
    <Menu>
      <MenuItem
        icon={<SearchIcon />}
        text={t("command.palette")}
        label="Ctrl+K"
        onClick={() => openDialog({ kind: "palette" })}
      />
      <MenuDivider title={t("command.theme.label")} />
      {THEMES.map((theme) => (
        <MenuItem
          key={theme}
          roleStructure="listoption"
          selected={chosen === theme}
          icon={chosen === theme ? <TickIcon /> : <BlankIcon />}
          text={t(`command.theme.${theme}`)}
          shouldDismissPopover={false}
          onClick={() => setPreference("theme", theme)}
        />
      ))}
      <MenuDivider />
      <MenuItem
        roleStructure="listoption"
        selected={screenReader}
        icon={screenReader ? <TickIcon /> : <BlankIcon />}
        text={t("command.screenReader")}
        onClick={() => setPreference("screenReader", !screenReader)}
      />
      <MenuItem icon={<InfoSignIcon />} text={t("command.about")} onClick={() => openDialog({ kind: "about" })} />
    </Menu>
  );
}

export function AppMenu() {
  const { t } = useTranslation();
  return (
    <Popover content={<AppMenuContent />} placement="bottom-end" minimal>
      <Button variant="minimal" icon={<MenuIcon />} aria-label={t("toolbar.menu")} title={t("toolbar.menu")} />
    </Popover>
  );
}
