// The host at a glance, along the bottom edge.
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { useHost } from "../../app/use-host.ts";
import { formatBytes } from "../../ui/format.ts";
import { isLive } from "../machines/rules.ts";
import "./status-bar.css";

const REFRESH_MS = 10_000;

export function StatusBar({ machines }: { readonly machines: readonly MachineSummary[] }) {
  const { t } = useTranslation();
  const atConnect = useHost();
  const fresh = useQuery({ queryKey: keys.host, queryFn: () => client.host.info(), refetchInterval: REFRESH_MS });
  const host = fresh.data ?? atConnect;
  const running = machines.filter((machine) => isLive(machine.state)).length;
  return (
    <footer className="status-bar number" aria-label={t("status.label")}>
      <span>{t("status.running", { count: running })}</span>
      <span className="status-bar-space" />
      {host && (
        <>
          <span className="status-bar-cpu">{t("status.cpu", { model: host.cpuModel, count: host.cpuCount })}</span>
          <span>
            {t("status.memory", { free: formatBytes(host.freeMemoryBytes), total: formatBytes(host.memoryBytes) })}
          </span>
          <span>{t("status.disk", { free: formatBytes(host.freeDiskBytes) })}</span>
        </>
      )}
    </footer>
  );
}
