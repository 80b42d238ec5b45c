// Figures over time for the charts: the host's history with what happened since, and with gaps where the machine did not run.
import type { MetricsSample } from "../../../main/contract/schemas.ts";

/** `written` with what of `live` is newer. */
export function mergeSamples(written: readonly MetricsSample[], live: readonly MetricsSample[]): MetricsSample[] {
  const lastMs = written.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY;
  return [...written, ...live.filter(({ atMs }) => atMs > lastMs)];
}

/** Samples and the holes between them, which break the line. A step that is missing once is a late sample, not a hole. */
export function withGaps(samples: readonly MetricsSample[], stepS: number): (MetricsSample | number)[] {
  const result: (MetricsSample | number)[] = [];
  let last: number | null = null;
  for (const sample of samples) {
    // Samples may be as far apart as an unwatched host asks for them.
    if (last !== null && sample.atMs - last > Math.max(3 * stepS, 45) * 1000) result.push(last + 1000 * stepS);
    result.push(sample);
    last = sample.atMs;
  }
  return result;
}

const COLUMNS = [
  "cpuShare",
  "mips",
  "residentBytes",
  "guestBytes",
  "diskReadRate",
  "diskWriteRate",
  "exitRate",
  "netReceiveRate",
  "netSendRate",
] as const;

/** RFC 4180 with the units in the header; empty where a machine has no network. */
export function samplesCsv(samples: readonly MetricsSample[]): string {
  const header =
    "time,cpu_share,mips,resident_bytes,guest_bytes,disk_read_bytes_per_s,disk_write_bytes_per_s,exits_per_s," +
    "net_received_bytes_per_s,net_sent_bytes_per_s";
  const figure = (value: number | undefined) => (value === undefined ? "" : Number(value.toFixed(4)));
  const rows = samples.map((sample) =>
    [new Date(sample.atMs).toISOString(), ...COLUMNS.map((column) => figure(sample[column]))].join(","),
  );
  return `${[header, ...rows].join("\r\n")}\r\n`;
}
