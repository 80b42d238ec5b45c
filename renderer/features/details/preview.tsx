// The machine's screen, small and live; a click shows it large. Nothing moves while it loads: the frame is always 16:10.
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useScreenshot } from "../../api/queries.ts";
import { showPane } from "../../app/navigation.ts";

export function Preview({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const shot = useScreenshot(machine.id, machine.state, true).data;
  return (
    <button type="button" className="preview" title={t("command.show")} onClick={() => showPane("display")}>
      {shot ? (
        <img
          src={shot.url}
          alt={t("details.previewAlt", { name: machine.name })}
          data-dim={machine.state !== "running" || undefined}
        />
      ) : (
        <span>{t("details.noPreview")}</span>
      )}
    </button>
  );
}
