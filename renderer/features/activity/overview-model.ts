// The overview over all machines: its rows, how they are sorted, and their form as a file.
import type { MachineSummary, MetricsSample } from "../../../main/contract/schemas.ts";

export interface OverviewRow {
  readonly machine: MachineSummary;
  /** Undefined while it does not run or has not reported yet. */
  readonly sample: MetricsSample | undefined;
}

export const COLUMNS = [
  "name",
  "state",
  "cpuShare",
  "mips",
  "guestBytes",
  "residentBytes",
  "diskReadRate",
  "diskWriteRate",
  "netReceiveRate",
  "netSendRate",
] as const;
export type Column = (typeof COLUMNS)[number];

export interface Sorting {
  readonly column: Column;
  readonly descending: boolean;
}

const byText = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

export function sortOverview(rows: readonly OverviewRow[], { column, descending }: Sorting): OverviewRow[] {
  const direction = descending ? -1 : 1;
  return rows.toSorted((a, b) => {
    if (column === "name" || column === "state")
      return direction * byText.compare(a.machine[column], b.machine[column]);
    // Machines without figures are last whichever way it is sorted.
    const [first, second] = [a.sample?.[column], b.sample?.[column]];
    if (first === undefined || second === undefined)
      return (
        Number(first === undefined) - Number(second === undefined) || byText.compare(a.machine.name, b.machine.name)
      );
    return direction * (first - second);
  });
}

/** A click on the heading of the sorted column turns it round; figures begin with the largest. */
export function nextSorting(now: Sorting, column: Column): Sorting {
  if (now.column === column) return { column, descending: !now.descending };
  return { column, descending: column !== "name" && column !== "state" };
}

/** A cell as RFC 4180 has it. One that begins as a formula is made text, for spreadsheets run those. */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function overviewCsv(rows: readonly OverviewRow[]): string {
  const lines = rows.map(({ machine, sample }) =>
    COLUMNS.map((column) => {
      if (column === "name" || column === "state") return csvCell(machine[column]);
      const value = sample?.[column];
      return value === undefined ? "" : String(Number(value.toFixed(4)));
    }).join(","),
  );
  return `${[COLUMNS.join(","), ...lines].join("\r\n")}\r\n`;
}
