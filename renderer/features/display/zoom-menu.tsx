// Zoom of the guest's screen: the button that says how large it is drawn, and the levels, which the menu of a machine's own window has too.
import { Button, Menu, MenuDivider, MenuItem } from "@blueprintjs/core";
import { CaretDownIcon, ZoomInIcon, ZoomOutIcon, ZoomToFitIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import { usePreference } from "../../app/preferences.ts";
import { ChoiceItem } from "../../ui/choice-item.tsx";
import { DropDown } from "../../ui/drop-down.tsx";
import { hostKeyCode } from "./host-key.ts";
import { ZOOM_LEVELS } from "./scaling.ts";
import { zoomBy, zoomTo } from "./zoom.ts";

export function ZoomLevels() {
  const { t } = useTranslation();
  const percent = usePreference("zoomPercent");
  const chosen = usePreference("scaleMode") === "zoom";
  return ZOOM_LEVELS.map((level) => (
    <ChoiceItem
      key={level}
      chosen={chosen && level === percent}
      text={t("display.scale", { percent: level })}
      onChoose={() => zoomTo(level)}
    />
  ));
}

interface Props {
  readonly factor: number;
  readonly disabled: boolean;
}

export function ZoomMenu({ factor, disabled }: Props) {
  const { t } = useTranslation();
  const hostKey = t(`display.hostKeys.${hostKeyCode(usePreference("hostKey"))}`);
  const percent = t("display.scale", { percent: Math.round(factor * 100) });
  const keys = (key: string) => `${hostKey} + ${key}`;
  const menu = (
    <Menu>
      <MenuItem icon={<ZoomInIcon />} text={t("display.zoomIn")} label={keys("+")} onClick={() => zoomBy(1, factor)} />
      <MenuItem
        icon={<ZoomOutIcon />}
        text={t("display.zoomOut")}
        label={keys("−")}
        onClick={() => zoomBy(-1, factor)}
      />
      <MenuItem
        icon={<ZoomToFitIcon />}
        text={t("display.modeHelp.actual")}
        label={keys("0")}
        onClick={() => zoomBy(0, factor)}
      />
      <MenuDivider />
      <ZoomLevels />
    </Menu>
  );
  return (
    <DropDown content={menu} align="start" disabled={disabled}>
      <Button
        variant="minimal"
        className="number"
        endIcon={<CaretDownIcon />}
        text={percent}
        aria-label={t("display.zoom", { percent })}
        title={t("display.zoom", { percent })}
        disabled={disabled}
      />
    </DropDown>
  );
}
