// Activity of all machines: a table that sorts by what is looked for, the host beside it, and the figures as a file.
import { Button } from "@blueprintjs/core";
import { ChevronDownIcon, ChevronUpIcon, DownloadIcon } from "@blueprintjs/icons";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useAllMetrics } from "../../api/metrics.ts";
import { useMachines } from "../../api/queries.ts";
import { selectMachine, showPane } from "../../app/navigation.ts";
import { download } from "../../ui/download.ts";
import { formatBytes } from "../../ui/format.ts";
import { Sparkline } from "../../ui/sparkline.tsx";
import { StateBadge } from "../../ui/state-badge.tsx";
import { HostMeters } from "../home/host-meters.tsx";
import { isLive } from "../machines/rules.ts";
import { COLUMNS, type Column, nextSorting, overviewCsv, type Sorting, sortOverview } from "./overview-model.ts";

const RATES = ["diskReadRate", "diskWriteRate", "netReceiveRate", "netSendRate"] as const;

interface HeadingProps {
  readonly column: Column;
  readonly sorting: Sorting;
  onSort(column: Column): void;
}

function Heading({ column, sorting, onSort }: HeadingProps) {
  const { t } = useTranslation();
  const sorted = sorting.column === column;
  const direction = sorting.descending ? "descending" : "ascending";
  return (
    <th scope="col" aria-sort={sorted ? direction : "none"}>
      <button type="button" onClick={() => onSort(column)}>
        {t(`activity.columns.${column}`)}
        {sorted && (sorting.descending ? <ChevronDownIcon size={12} /> : <ChevronUpIcon size={12} />)}
      </button>
    </th>
  );
}

export default function ActivityTool() {
  const { t } = useTranslation();
  const machines = useMachines().data ?? [];
  const metrics = useAllMetrics();
  const [sorting, setSorting] = useState<Sorting>({ column: "cpuShare", descending: true });
  const rows = sortOverview(
    machines.map((machine) => ({
      machine,
      sample: isLive(machine.state) ? metrics.get(machine.id)?.at(-1) : undefined,
    })),
    sorting,
  );
  const open = (id: string) => {
    selectMachine(id);
    showPane("activity");
  };
  return (
    <div className="tool-page">
      <div className="tool-head">
        <h1>{t("tool.activity")}</h1>
        <span className="pane-bar-space" />
        <Button
          icon={<DownloadIcon />}
          text={t("activity.export")}
          disabled={rows.length === 0}
          onClick={() => download("terrarium-activity.csv", new Blob([overviewCsv(rows)], { type: "text/csv" }))}
        />
      </div>
      <HostMeters />
      <table className="data-table" aria-label={t("activity.table")}>
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <Heading
                key={column}
                column={column}
                sorting={sorting}
                onSort={(clicked) => setSorting(nextSorting(sorting, clicked))}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ machine, sample }) => (
            <tr key={machine.id}>
              <th scope="row">
                <button type="button" className="setting-link" onClick={() => open(machine.id)}>
                  {machine.name}
                </button>
              </th>
              <td>
                <StateBadge state={machine.state} />
              </td>
              <td className="number">
                {sample && (
                  <span className="cell-line">
                    <Sparkline
                      values={(metrics.get(machine.id) ?? []).slice(-60).map(({ cpuShare }) => cpuShare)}
                      length={60}
                      top={1}
                    />
                    {Math.round(sample.cpuShare * 100)} %
                  </span>
                )}
              </td>
              <td className="number">{sample && t("details.mipsValue", { value: Math.round(sample.mips) })}</td>
              <td className="number">{sample && formatBytes(sample.guestBytes)}</td>
              <td className="number">{sample && formatBytes(sample.residentBytes)}</td>
              {RATES.map((rate) => (
                <td key={rate} className="number">
                  {sample?.[rate] !== undefined && `${formatBytes(sample[rate])}/s`}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p className="muted">{t("activity.noMachines")}</p>}
    </div>
  );
}
