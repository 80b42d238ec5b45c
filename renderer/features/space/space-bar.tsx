// What the machine takes up on this computer, by where it is, and the button that gives back what it does not need.
import { Button } from "@blueprintjs/core";
import { CleanIcon, EndorsedIcon } from "@blueprintjs/icons";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client, queryClient } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { formatBytes } from "../../ui/format.ts";
import { notify, notifyFailure } from "../notifications/model.ts";
import "./space.css";

const VerifyDialog = lazy(() => import("../integrity/verify-dialog.tsx"));

const PARTS = ["presentBytes", "snapshotBytes", "sharedBytes", "trashBytes"] as const;
const REFRESH_MS = 15_000;

export function SpaceBar({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [checking, setChecking] = useState(false);
  const space = useQuery({
    queryKey: keys.space(machine.id),
    queryFn: () => client.machines.space({ id: machine.id }),
    refetchInterval: REFRESH_MS,
  }).data;
  if (!space) return null;
  const parts = PARTS.filter((part) => part !== "trashBytes" || space[part] > 0);
  const total = Math.max(1, ...[PARTS.reduce((sum, part) => sum + space[part], 0)]);
  const reclaim = async () => {
    setBusy(true);
    try {
      const { freedBytes } = await client.machines.reclaim({ id: machine.id });
      notify({ kind: "success", title: t("space.freed", { size: formatBytes(freedBytes), name: machine.name }) });
    } catch (error) {
      notifyFailure(t("failure.generic"), toFailure(error));
    } finally {
      setBusy(false);
      await queryClient.invalidateQueries({ queryKey: keys.space(machine.id) });
    }
  };
  return (
    <div className="space-bar">
      <div className="space-parts" aria-hidden="true">
        {parts.map((part) => (
          <span
            key={part}
            className={`space-part space-${part}`}
            style={{ width: `${(space[part] / total) * 100}%` }}
          />
        ))}
      </div>
      <span className="space-text number">
        {parts.map((part) => (
          <span key={part}>
            <i className={`space-key space-${part}`} aria-hidden="true" />
            {t(`space.${part}`, { size: formatBytes(space[part]) })}
          </span>
        ))}
        <span className="muted">{t("space.guestBytes", { size: formatBytes(space.guestBytes) })}</span>
      </span>
      <Button
        variant="minimal"
        size="small"
        icon={<CleanIcon />}
        text={t("space.reclaim")}
        title={t("space.reclaimHint")}
        loading={busy}
        onClick={() => void reclaim()}
      />
      <Button
        variant="minimal"
        size="small"
        icon={<EndorsedIcon />}
        text={t("verify.open")}
        title={t("verify.openHint")}
        onClick={() => setChecking(true)}
      />
      {checking && (
        <Suspense>
          <VerifyDialog machine={machine} onClose={() => setChecking(false)} />
        </Suspense>
      )}
    </div>
  );
}
