// Says what will happen while a file is held over the window.
import { useTranslation } from "react-i18next";
import { useStore } from "../../api/store.ts";
import { selectedMachine } from "../../app/commands.ts";
import { isLive } from "../machines/rules.ts";
import { filesOver } from "./use-file-drop.ts";
import "./media.css";

export function DropHint() {
  const { t } = useTranslation();
  if (!useStore(filesOver)) return null;
  const machine = selectedMachine();
  const running = machine && isLive(machine.state) ? machine : undefined;
  return (
    <div className="drop-hint" role="status">
      <p>{running ? t("discs.dropRunning", { name: running.name }) : t("discs.drop")}</p>
    </div>
  );
}
