// Activity of one machine: charts over a minute up to a day, hints what to change, and the figures as a file.
import { Button, SegmentedControl } from "@blueprintjs/core";
import { DownloadIcon } from "@blueprintjs/icons";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { MachineSummary, MetricsSample } from "../../../main/contract/schemas.ts";
import { client } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { useMetrics } from "../../api/metrics.ts";
import { Chart } from "../../ui/chart.tsx";
import { download } from "../../ui/download.ts";
import { formatBytes } from "../../ui/format.ts";
import { useNow } from "../../ui/use-now.ts";
import { Advice } from "./advice.tsx";
import { mergeSamples, samplesCsv, withGaps } from "./history-model.ts";
import { ProfileBox } from "./profile-box.tsx";
import { SPAN_NAMES, SPANS, type Span } from "./spans.ts";
import "./activity.css";

function useHistory(machineId: string, spanS: number) {
  const live = useMetrics(machineId);
  const fine = spanS <= 600;
  const stored = useQuery({
    queryKey: keys.history(machineId, spanS),
    queryFn: () => client.machines.metricsHistory({ id: machineId, spanS }),
    staleTime: 0,
    // Seconds arrive as events; the coarse steps are asked for as they are completed.
    refetchInterval: fine ? false : spanS <= SPANS.threeHours ? 10_000 : 60_000,
  }).data;
  const samples = useMemo(
    () => (fine ? mergeSamples(stored?.samples ?? [], live) : (stored?.samples ?? [])),
    [fine, stored, live],
  );
  return { stepS: stored?.stepS ?? 1, samples };
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
const rate = (bytes: number): string => `${formatBytes(bytes)}/s`;

interface ChartsProps {
  readonly samples: readonly MetricsSample[];
  readonly stepS: number;
  readonly spanS: number;
  readonly endS: number;
}

function Charts({ samples, stepS, spanS, endS }: ChartsProps) {
  const { t } = useTranslation();
  const points = useMemo(
    () =>
      withGaps(
        samples.filter(({ atMs }) => atMs >= (endS - spanS) * 1000),
        stepS,
      ),
    [samples, stepS, spanS, endS],
  );
  const times = useMemo(() => points.map((point) => (typeof point === "number" ? point : point.atMs) / 1000), [points]);
  const line = (label: string, colour: number, pick: (sample: MetricsSample) => number | null) => ({
    label,
    colour,
    values: points.map((point) => (typeof point === "number" ? null : pick(point))),
  });
  const shared = { times, spanS, endS };
  return (
    <div className="charts">
      <Chart
        {...shared}
        title={t("activity.cpu")}
        top={1}
        format={percent}
        series={[line(t("activity.core"), 0, (sample) => sample.cpuShare)]}
      />
      <Chart
        {...shared}
        title={t("activity.instructions")}
        top={10}
        format={(value) => t("details.mipsValue", { value: Math.round(value) })}
        series={[line(t("activity.retired"), 3, (sample) => sample.mips)]}
      />
      <Chart
        {...shared}
        title={t("activity.exits")}
        top={1000}
        format={(value) => t("activity.perSecond", { value: Math.round(value) })}
        series={[line(t("activity.exitsLine"), 2, (sample) => sample.exitRate)]}
      />
      <Chart
        {...shared}
        title={t("activity.memory")}
        bytes
        top={64 * 2 ** 20}
        format={formatBytes}
        series={[
          line(t("activity.guest"), 1, (sample) => sample.guestBytes),
          line(t("activity.host"), 2, (sample) => sample.residentBytes),
        ]}
      />
      <Chart
        {...shared}
        title={t("activity.disk")}
        bytes
        top={64 * 1024}
        format={rate}
        series={[
          line(t("activity.read"), 0, (sample) => sample.diskReadRate),
          line(t("activity.written"), 4, (sample) => sample.diskWriteRate),
        ]}
      />
      {samples.some(({ netReceiveRate }) => netReceiveRate !== undefined) && (
        <Chart
          {...shared}
          title={t("activity.network")}
          bytes
          top={64 * 1024}
          format={rate}
          series={[
            line(t("activity.received"), 3, (sample) => sample.netReceiveRate ?? null),
            line(t("activity.sent"), 1, (sample) => sample.netSendRate ?? null),
          ]}
        />
      )}
    </div>
  );
}

export default function ActivityPane({ machine }: { readonly machine: MachineSummary }) {
  const { t } = useTranslation();
  const [span, setSpan] = useState<Span>("tenMinutes");
  const spanS = SPANS[span];
  const { samples, stepS } = useHistory(machine.id, spanS);
  const endS = Math.ceil(useNow(1000) / 1000);
  return (
    <>
      <div className="pane-bar" role="toolbar" aria-label={t("activity.toolbar")}>
        <SegmentedControl
          size="small"
          aria-label={t("activity.span")}
          options={SPAN_NAMES.map((value) => ({ value, label: t(`activity.spans.${value}`) }))}
          value={span}
          onValueChange={(value) => setSpan(SPAN_NAMES.find((known) => known === value) ?? "tenMinutes")}
        />
        <span className="muted number">{t("activity.resolution", { count: stepS })}</span>
        <span className="pane-bar-space" />
        <Button
          variant="minimal"
          icon={<DownloadIcon />}
          text={t("activity.export")}
          disabled={samples.length === 0}
          onClick={() => download(`${machine.name}.csv`, new Blob([samplesCsv(samples)], { type: "text/csv" }))}
        />
      </div>
      <div className="activity" role="region" aria-label={t("activity.label", { name: machine.name })}>
        <Advice machineId={machine.id} samples={samples} />
        {samples.length === 0 && <p className="muted activity-empty">{t("activity.empty")}</p>}
        <Charts samples={samples} stepS={stepS} spanS={spanS} endS={endS} />
        <ProfileBox key={machine.id} machine={machine} />
      </div>
    </>
  );
}
