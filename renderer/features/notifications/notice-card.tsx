// One notification, as a toast and in the list behind the bell.
import { Button, ProgressBar } from "@blueprintjs/core";
import { CrossIcon, ErrorIcon, InfoSignIcon, TickCircleIcon, TimeIcon } from "@blueprintjs/icons";
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { Age } from "../../ui/age.tsx";
import { FailureText } from "./failure-text.tsx";
import { dismiss, type Notice, type NoticeKind } from "./model.ts";

const ICONS: Record<NoticeKind, ReactElement> = {
  info: <InfoSignIcon />,
  success: <TickCircleIcon />,
  error: <ErrorIcon />,
  progress: <TimeIcon />,
};

interface Props {
  readonly notice: Notice;
  /** In the list, the age is shown instead of a way to dismiss. */
  readonly listed?: boolean;
}

export function NoticeCard({ notice, listed = false }: Props) {
  const { t } = useTranslation();
  const { kind, title, detail, failure, progress, actions } = notice;
  return (
    <div className="notice" data-kind={kind}>
      <span className="notice-icon" role="img" aria-label={t(`notices.kinds.${kind}`)}>
        {ICONS[kind]}
      </span>
      <div className="notice-body">
        <div className="notice-title">
          <strong>{title}</strong>
          {listed && (
            <span className="muted notice-age">
              <Age atMs={notice.atMs} />
            </span>
          )}
        </div>
        {detail && <p className="muted">{detail}</p>}
        {failure && <FailureText failure={failure} />}
        {kind === "progress" && (
          <ProgressBar
            value={progress ?? 1}
            animate={progress == null}
            stripes={progress == null}
            intent="primary"
            aria-label={title}
          />
        )}
        {actions.length > 0 && (
          <div className="notice-actions">
            {actions.map((action) => (
              <Button
                key={action.label}
                size="small"
                text={action.label}
                onClick={() => {
                  dismiss(notice.id);
                  action.run();
                }}
              />
            ))}
          </div>
        )}
      </div>
      {!listed && (
        <Button
          size="small"
          variant="minimal"
          icon={<CrossIcon />}
          aria-label={t("common.dismiss")}
          onClick={() => dismiss(notice.id)}
        />
      )}
    </div>
  );
}
