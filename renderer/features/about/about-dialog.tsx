// About: versions and where things are, so that a report can name them.
import { Dialog, DialogBody } from "@blueprintjs/core";
import { useTranslation } from "react-i18next";
import { CONTRACT_VERSION } from "../../../main/contract/schemas.ts";
import icon from "../../../resources/icons/terrarium.svg";
import { useHost } from "../../app/use-host.ts";
import { Row } from "../../ui/box.tsx";
import "./about.css";

export default function AboutDialog({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  const host = useHost();
  return (
    <Dialog isOpen title={t("about.title")} onClose={onClose} className="about">
      <DialogBody>
        <div className="about-head">
          <img src={icon} alt="" width={64} height={64} />
          <div>
            <h2>{t("app.name")}</h2>
            <p className="muted">{t("about.version", { version: host?.appVersion ?? t("common.unknown") })}</p>
            <p className="muted">{t("about.engine")}</p>
          </div>
        </div>
        <dl className="selectable">
          <Row label={t("about.host")}>{host ? `${host.cpuModel}, ${host.platform}` : t("common.unknown")}</Row>
          <Row label={t("about.home")}>
            <span className="mono">{host?.home}</span>
          </Row>
          <Row label={t("about.contract")}>{CONTRACT_VERSION}</Row>
        </dl>
        <p className="muted about-license">{t("about.license")}</p>
      </DialogBody>
    </Dialog>
  );
}
