// Under the screen: size and scale, and who has the keyboard.
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { StateBadge } from "../../ui/state-badge.tsx";
import { IS_MAC } from "./host-key.ts";
import type { Screen } from "./use-screen.ts";

interface Props {
  readonly machine: MachineSummary;
  readonly screen: Screen;
  readonly factor: number;
}

export function DisplayStatus({ machine, screen, factor }: Props) {
  const { t } = useTranslation();
  const hostKey = t(IS_MAC ? "display.hostKeyMac" : "display.hostKey");
  const { size, link, focused } = screen;
  return (
    <div className="display-status number">
      <StateBadge state={machine.state} />
      {link === "open" && size && (
        <>
          <span>{t("display.size", { width: size.width, height: size.height })}</span>
          <span>{t("display.scale", { percent: Math.round(factor * 100) })}</span>
          <span className="pane-bar-space" />
          <span
            className="display-keyboard"
            data-captured={focused || undefined}
            title={t("display.hostKeyHelp", { hostKey })}
          >
            {focused ? t("display.keyboardIn", { hostKey }) : t("display.keyboardOut")}
          </span>
        </>
      )}
    </div>
  );
}
