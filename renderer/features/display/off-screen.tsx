// In place of the screen while the machine is off: its last picture, dimmed, and the button that brings it back.
import { Button } from "@blueprintjs/core";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useScreenshot } from "../../api/queries.ts";
import { COMMAND_ICONS } from "../machines/command-icons.tsx";
import { runCommand } from "../machines/run-command.ts";

export function OffScreen({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const shot = useScreenshot(machine.id, machine.state, false).data;
  return (
    <div className="off-screen">
      {shot && <img src={shot.url} alt="" />}
      <div className="off-screen-text">
        <p>{t("display.off", { name: machine.name, state: t(`state.${machine.state}`) })}</p>
        {shot && <p className="off-screen-hint">{t("display.lastScreen")}</p>}
        <Button
          size="large"
          intent="primary"
          icon={COMMAND_ICONS.start}
          text={t("command.start")}
          onClick={() => void runCommand("start", machine)}
        />
      </div>
    </div>
  );
}
