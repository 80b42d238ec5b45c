// About: versions and where things are, and a report that can be copied for somebody who helps.
import { Button, Dialog, DialogBody, DialogFooter } from "@blueprintjs/core";
import { ClipboardIcon } from "@blueprintjs/icons";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { CONTRACT_VERSION } from "../../../main/contract/schemas.ts";
import icon from "../../../resources/icons/terrarium.svg";
import { useMachines } from "../../api/queries.ts";
import { useHost } from "../../app/use-host.ts";
import { platform } from "../../platform/index.ts";
import { Row } from "../../ui/box.tsx";
import { diagnosticsText } from "./diagnostics.ts";
import "./about.css";

export default function AboutDialog({ onClose }: { onClose(): void }) {
  const { t } = useTranslation();
  const host = useHost();
  const machines = useMachines().data ?? [];
  const [copied, setCopied] = useState(false);
  const [atMs] = useState(() => Date.now());
  const report =
    host && diagnosticsText({ host, machines, userAgent: navigator.userAgent, shell: platform.kind, atMs });
  const copy = async () => {
    await navigator.clipboard.writeText(report ?? "");
    setCopied(true);
  };
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
        <h3 className="about-report-title">{t("about.report")}</h3>
        <p className="muted">{t("about.reportHelp")}</p>
        <pre
          className="about-report selectable"
          aria-label={t("about.report")}
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reachable by keyboard
          tabIndex={0}
        >
          {report}
        </pre>
        <p className="muted about-license">{t("about.license")}</p>
      </DialogBody>
      <DialogFooter
        actions={
          <>
            <Button
              icon={<ClipboardIcon />}
              text={t(copied ? "about.copied" : "about.copy")}
              onClick={() => void copy()}
            />
            <Button intent="primary" text={t("common.close")} onClick={onClose} />
          </>
        }
      />
    </Dialog>
  );
}
