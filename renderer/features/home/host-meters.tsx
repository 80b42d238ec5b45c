// What this computer has and what is free of it: processors, memory, disk.
import { useTranslation } from "react-i18next";
import { useFreshHost } from "../../api/queries.ts";
import { formatBytes } from "../../ui/format.ts";
import { Meter } from "../../ui/meter.tsx";
import "./home.css";

export function HostMeters() {
  const { t } = useTranslation();
  const host = useFreshHost();
  if (!host) return null;
  const usedMemory = 1 - host.freeMemoryBytes / host.memoryBytes;
  return (
    <dl className="host-meters number" aria-label={t("status.label")}>
      <div>
        <dt>{t("home.cpu", { count: host.cpuCount })}</dt>
        <dd>
          <Meter value={host.cpuLoad} />
          {t("home.busy", { percent: Math.round(host.cpuLoad * 100) })}
        </dd>
      </div>
      <div>
        <dt>{t("home.memory")}</dt>
        <dd>
          <Meter value={usedMemory} />
          {t("home.freeOf", { free: formatBytes(host.freeMemoryBytes), total: formatBytes(host.memoryBytes) })}
        </dd>
      </div>
      <div>
        <dt>{t("home.disk")}</dt>
        <dd>{t("home.free", { free: formatBytes(host.freeDiskBytes) })}</dd>
      </div>
    </dl>
  );
}
