// What the machine is doing now: four figures, each with a thin line of the last minute.
import { Button } from "@blueprintjs/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { MachineDetails, MachineState } from "../../../main/contract/schemas.ts";
import { useMetrics } from "../../api/metrics.ts";
import { showPane } from "../../app/navigation.ts";
import { Age } from "../../ui/age.tsx";
import { Box } from "../../ui/box.tsx";
import { formatBytes } from "../../ui/format.ts";
import { Sparkline } from "../../ui/sparkline.tsx";
import { isLive } from "../machines/rules.ts";

/** Seconds that the thin lines show. */
const SHOWN = 60;

interface FigureProps {
  readonly label: string;
  readonly value: string;
  readonly children?: ReactNode;
}

function Figure({ label, value, children }: FigureProps) {
  return (
    <div className="figure">
      <dt>{label}</dt>
      <dd className="number">{value}</dd>
      {children}
    </div>
  );
}

interface Props {
  readonly machine: MachineDetails;
  readonly state: MachineState;
}

export function ActivityBox({ machine, state }: Props) {
  const { t } = useTranslation();
  const samples = useMetrics(machine.id).slice(-SHOWN);
  const now = samples.at(-1);
  if (!now || !isLive(state)) return null;
  const line = (pick: (sample: (typeof samples)[number]) => number, top: number) => (
    <Sparkline values={samples.map(pick)} length={SHOWN} top={top} />
  );
  const sizeBytes = machine.config.memoryMiB * 2 ** 20;
  return (
    <Box
      name="activity"
      title={t("details.activity")}
      action={<Button size="small" variant="minimal" text={t("details.more")} onClick={() => showPane("activity")} />}
    >
      <dl className="figures">
        <Figure label={t("details.cpu")} value={t("details.cpuValue", { value: Math.round(now.cpuShare * 100) })}>
          {line((sample) => sample.cpuShare, 1)}
        </Figure>
        <Figure label={t("details.mips")} value={t("details.mipsValue", { value: Math.round(now.mips) })}>
          {line((sample) => sample.mips, 50)}
        </Figure>
        <Figure label={t("details.memory")} value={formatBytes(now.residentBytes)}>
          {line((sample) => sample.residentBytes, sizeBytes)}
        </Figure>
        <Figure
          label={t("details.disk")}
          value={t("details.diskValue", {
            read: formatBytes(now.diskReadRate),
            written: formatBytes(now.diskWriteRate),
          })}
        >
          {line((sample) => sample.diskReadRate + sample.diskWriteRate, 1 << 20)}
        </Figure>
        {now.netReceiveRate !== undefined && (
          <Figure
            label={t("network.traffic")}
            value={t("network.trafficValue", {
              received: formatBytes(now.netReceiveRate),
              sent: formatBytes(now.netSendRate ?? 0),
            })}
          >
            {line((sample) => (sample.netReceiveRate ?? 0) + (sample.netSendRate ?? 0), 1 << 20)}
          </Figure>
        )}
        {machine.startedAtMs !== null && (
          <div className="figure">
            <dt>{t("details.uptime")}</dt>
            <dd>
              <Age atMs={machine.startedAtMs} />
            </dd>
          </div>
        )}
      </dl>
    </Box>
  );
}
