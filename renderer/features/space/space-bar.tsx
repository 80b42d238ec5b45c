// What the machine takes up on this computer, by where it is, and the button that gives back what it does not need.
import { Button } from "@blueprintjs/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { formatBytes } from "../../ui/format.ts";
import { COMMAND_ICONS } from "../machines/command-icons.tsx";
import { isAllowed } from "../machines/rules.ts";
import { runCommand } from "../machines/run-command.ts";
import "./space.css";

const PARTS = ["presentBytes", "snapshotBytes", "sharedBytes", "trashBytes"] as const;
const REFRESH_MS = 15_000;

export function SpaceBar({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
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
    await runCommand("reclaim", machine);
    setBusy(false);
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
        icon={COMMAND_ICONS.reclaim}
        text={t("command.reclaim")}
        title={t("space.reclaimHint")}
        loading={busy}
        disabled={!isAllowed("reclaim", machine.state)}
        onClick={() => void reclaim()}
      />
      <Button
        variant="minimal"
        size="small"
        icon={COMMAND_ICONS.verify}
        text={t("command.verify")}
        title={t("verify.openHint")}
        disabled={!isAllowed("verify", machine.state)}
        onClick={() => void runCommand("verify", machine)}
      />
    </div>
  );
}
