// The bell: everything that was reported lately, so that a toast that went away is not lost.
import { Button } from "@blueprintjs/core";
import { NotificationsIcon } from "@blueprintjs/icons";
import { useTranslation } from "react-i18next";
import { useStore } from "../../api/store.ts";
import { DropDown } from "../../ui/drop-down.tsx";
import { clearNotices, notices } from "./model.ts";
import { NoticeCard } from "./notice-card.tsx";

function NoticeList() {
  const { t } = useTranslation();
  const all = useStore(notices);
  return (
    <div className="notice-list" role="region" aria-label={t("notices.label")}>
      <div className="notice-list-head">
        <h2>{t("notices.label")}</h2>
        <Button
          size="small"
          variant="minimal"
          text={t("notices.clear")}
          disabled={all.length === 0}
          onClick={clearNotices}
        />
      </div>
      {all.length === 0 ? (
        <p className="muted notice-list-empty">{t("notices.empty")}</p>
      ) : (
        <ul
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reachable by keyboard
          tabIndex={0}
          aria-label={t("notices.label")}
        >
          {all.map((notice) => (
            <li key={notice.id}>
              <NoticeCard notice={notice} listed />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

export function NotificationBell() {
  const { t } = useTranslation();
  const busy = useStore(notices, (all) => all.filter((notice) => notice.kind === "progress").length);
  const failed = useStore(notices, (all) => all.filter((notice) => notice.kind === "error").length);
  const label = [
    t("toolbar.notifications"),
    busy > 0 ? t("notices.busy", { count: busy }) : "",
    failed > 0 ? t("notices.failed", { count: failed }) : "",
  ].filter(Boolean);
  return (
    <DropDown content={<NoticeList />} align="end">
      <Button
        className="bell"
        variant="minimal"
        icon={<NotificationsIcon />}
        aria-label={label.join(", ")}
        title={label.join(", ")}
        data-busy={busy > 0 || undefined}
        {...(busy + failed > 0 && { endIcon: <span className="bell-count">{busy + failed}</span> })}
      />
    </DropDown>
  );
}
