// Under the screen: size and scale, the lights of the devices, and who has the keyboard.
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { usePreference } from "../../app/preferences.ts";
import { StateBadge } from "../../ui/state-badge.tsx";
import { hostKeyCode } from "./host-key.ts";
import { Indicators } from "./indicators.tsx";
import type { Screen } from "./use-screen.ts";

interface Props {
  readonly machine: MachineSummary;
  readonly screen: Screen;
}

export function DisplayStatus({ machine, screen }: Props) {
  const { t } = useTranslation();
  const hostKey = t(`display.hostKeys.${hostKeyCode(usePreference("hostKey"))}`);
  const { size, link, focused } = screen;
  const sizeText = size ? t("display.size", { width: size.width, height: size.height }) : "";
  return (
    <div className="display-status number">
      <StateBadge state={machine.state} />
      {link === "open" && size && <span>{sizeText}</span>}
      <span className="pane-bar-space" />
      {link === "open" && size && (
        <span
          className="display-keyboard"
          data-captured={focused || undefined}
          title={t("display.hostKeyHelp", { hostKey })}
        >
          {focused ? t("display.keyboardIn", { hostKey }) : t("display.keyboardOut")}
        </span>
      )}
      {/* Last, so that they stay where they are while the words beside them change. */}
      <Indicators machine={machine} size={sizeText} />
    </div>
  );
}
