// Shown while the host is away. The window keeps what it has and connects again by itself.
import { Button } from "@blueprintjs/core";
import { OfflineIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import { connection } from "../../api/index.ts";
import "./connection.css";

export function ConnectionBanner() {
  const { t } = useTranslation();
  return (
    <div className="connection-banner" role="alert">
      <OfflineIcon />
      <span>{t("connection.lost")}</span>
      <Button size="small" text={t("connection.retry")} onClick={() => connection.retryNow()} />
    </div>
  );
}
