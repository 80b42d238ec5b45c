// The notifications that are on the screen now, bottom right, never in the way of the keyboard. Errors stay until dismissed.
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useStore } from "../../api/store.ts";
import { dismiss, type Notice, notices } from "./model.ts";
import { NoticeCard } from "./notice-card.tsx";
import "./notifications.css";

const LIFETIME_MS = { info: 8000, success: 4000 } as const;
const SHOWN_AT_MOST = 4;

function Toast({ notice }: { readonly notice: Notice }) {
  // A notification that is being read or used does not disappear.
  const [held, setHeld] = useState(false);
  const lifetime = notice.kind === "info" || notice.kind === "success" ? LIFETIME_MS[notice.kind] : null;
  useEffect(() => {
    if (held || lifetime === null) return;
    const timer = setTimeout(() => dismiss(notice.id), lifetime);
    return () => clearTimeout(timer);
  }, [held, lifetime, notice.id]);
  return (
    <div
      role={notice.kind === "error" ? "alert" : "status"}
      onMouseEnter={() => setHeld(true)}
      onMouseLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <NoticeCard notice={notice} />
    </div>
  );
}

export function Toasts() {
  const { t } = useTranslation();
  const shown = useStore(notices)
    .filter((notice) => notice.shown)
    .slice(0, SHOWN_AT_MOST);
  return (
    <section className="toasts" aria-label={t("notices.label")}>
      {shown.length > 0 && (
        <div className="toasts-stack">
          {shown.toReversed().map((notice) => (
            <Toast key={notice.id} notice={notice} />
          ))}
        </div>
      )}
    </section>
  );
}
