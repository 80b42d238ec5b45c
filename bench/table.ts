// Medians and tables: how every suite reports.

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

export interface ReportRow {
  readonly what: string;
  /** Column to value in the row's unit. */
  readonly values: Readonly<Record<string, number>>;
  readonly unit: string;
}

/** A row of medians: one figure of each participant's results; NaN where there is none. */
export function rowOf<T>(
  what: string,
  unit: string,
  results: ReadonlyMap<string, readonly T[]>,
  pick: (result: T) => number,
): ReportRow {
  const medians = [...results].map(([name, all]) => [name, median(all.map(pick))] as const);
  return { what, unit, values: Object.fromEntries(medians.filter(([, value]) => !Number.isNaN(value))) };
}

export interface Report {
  readonly suite: string;
  /** Participant to version. */
  readonly versions: Readonly<Record<string, string>>;
  /** Participant to the reason why it is not in the table. */
  readonly missing: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly rows: readonly ReportRow[];
  readonly notes: readonly string[];
}

/** A table as Markdown; `ratioOf` adds a column: how many times faster than the reference the first column is. */
export function markdown(report: Report): string {
  const columns = [...new Set(report.rows.flatMap((row) => Object.keys(row.values)))];
  const lines = [
    `| ${report.suite} (median of ${report.rounds}) | ${columns.join(" | ")} |`,
    `|---|${columns.map(() => "---").join("|")}|`,
  ];
  for (const row of report.rows) {
    const cells = columns.map((column) => {
      const value = row.values[column];
      return value === undefined ? "-" : `${format(value)} ${row.unit}`;
    });
    lines.push(`| ${row.what} | ${cells.join(" | ")} |`);
  }
  const versions = Object.entries(report.versions).map(([name, version]) => `${name} ${version}`);
  lines.push("", `Versions: ${versions.join(", ")}.`);
  for (const [name, reason] of Object.entries(report.missing)) lines.push(`Not measured: ${name} (${reason}).`);
  lines.push(...report.notes);
  return lines.join("\n");
}

function format(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value >= 1 ? value.toFixed(2) : value.toFixed(3);
}
