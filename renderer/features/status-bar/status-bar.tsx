// The host at a glance, along the bottom edge.
import { useTranslation } from "react-i18next";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { useFreshHost } from "../../api/queries.ts";
import { useHost } from "../../app/use-host.ts";
import { formatBytes } from "../../ui/format.ts";
import { Meter } from "../../ui/meter.tsx";
import { isLive } from "../machines/rules.ts";
import "./status-bar.css";

export function StatusBar({ machines }: { readonly machines: readonly MachineSummary[] }) {
  const { t } = useTranslation();
  const atConnect = useHost();
  const host = useFreshHost() ?? atConnect;
  const running = machines.filter((machine) => isLive(machine.state)).length;
  return (
    <footer className="status-bar number" aria-label={t("status.label")}>
      <span>{t("status.running", { count: running })}</span>
      <span className="status-bar-space" />
      {host && (
        <>
          <span className="status-bar-cpu">{t("status.cpu", { model: host.cpuModel, count: host.cpuCount })}</span>
          <span>
            <Meter value={host.cpuLoad} /> {t("status.load", { percent: Math.round(host.cpuLoad * 100) })}
          </span>
          <span>
            <Meter value={1 - host.freeMemoryBytes / host.memoryBytes} />{" "}
            {t("status.memory", { free: formatBytes(host.freeMemoryBytes), total: formatBytes(host.memoryBytes) })}
          </span>
          <span>{t("status.disk", { free: formatBytes(host.freeDiskBytes) })}</span>
        </>
      )}
    </footer>
  );
}
