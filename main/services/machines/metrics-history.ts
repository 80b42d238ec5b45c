// The last day of every machine's figures, at falling resolution:
//
//   step    kept        samples
//    1 s    10 minutes      600
//   10 s     3 hours       1080
//   60 s    24 hours       1440
//
// Samples wait in memory and go to SQLite once a minute in one transaction: a write per second would keep the disk of the host awake.
import type { VmMetrics } from "../../../native-core/protocol/engine.ts";
import type { MetricsHistory, MetricsSample } from "../../contract/schemas.ts";
import type { MetricRows } from "../../store/metric-rows.ts";
import type { MetricSampleTable } from "../../store/schema.ts";
import { log } from "../log.ts";
import { Rollup } from "./metrics-rollup.ts";

const RESOLUTIONS = [
  { stepS: 1, keptS: 600 },
  { stepS: 10, keptS: 3 * 3600 },
  { stepS: 60, keptS: 24 * 3600 },
] as const;

const WRITE_AFTER_MS = 60_000;

interface Counters {
  readonly atMs: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly exits: number | undefined;
  readonly receivedBytes: number | undefined;
  readonly sentBytes: number | undefined;
}

export class MetricsRecorder {
  readonly #rows: MetricRows;
  readonly #rollups = new Map<string, Rollup[]>();
  readonly #counters = new Map<string, Counters>();
  #waiting: MetricSampleTable[] = [];
  #lastWriteMs: number;

  constructor(rows: MetricRows, nowMs: number) {
    this.#rows = rows;
    this.#lastWriteMs = nowMs;
  }

  /** Takes one sample in and yields it with rates: disk counters are told against the sample before. */
  add(machineId: string, metrics: VmMetrics, atMs: number): MetricsSample {
    const before = this.#counters.get(machineId);
    this.#counters.set(machineId, {
      atMs,
      readBytes: metrics.diskReadBytes,
      writtenBytes: metrics.diskWrittenBytes,
      exits: metrics.exits,
      receivedBytes: metrics.network?.receivedBytes,
      sentBytes: metrics.network?.sentBytes,
    });
    const rate = (now: number, then: number | undefined): number => {
      const elapsedS = before ? (atMs - before.atMs) / 1000 : 0;
      // A counter that fell belongs to a new run; after a long gap an average would say nothing.
      return then === undefined || now < then || elapsedS <= 0 || elapsedS > 120 ? 0 : (now - then) / elapsedS;
    };
    const sample: MetricsSample = {
      atMs,
      cpuShare: metrics.cpuShare,
      mips: metrics.mips,
      residentBytes: metrics.residentBytes,
      guestBytes: metrics.guestBytes,
      diskReadRate: rate(metrics.diskReadBytes, before?.readBytes),
      diskWriteRate: rate(metrics.diskWrittenBytes, before?.writtenBytes),
      exitRate: rate(metrics.exits ?? 0, before?.exits),
      ...(metrics.network && {
        netReceiveRate: rate(metrics.network.receivedBytes, before?.receivedBytes),
        netSendRate: rate(metrics.network.sentBytes, before?.sentBytes),
      }),
    };
    for (const rollup of this.#rollupsOf(machineId)) {
      const done = rollup.add(sample);
      if (done) this.#waiting.push(rowOf(machineId, rollup.stepS, done));
    }
    if (atMs - this.#lastWriteMs >= WRITE_AFTER_MS) void this.flush(atMs);
    return sample;
  }

  /** Writes what waits; a database that refuses costs samples, never the machine. */
  async flush(nowMs: number): Promise<void> {
    const rows = this.#waiting;
    this.#waiting = [];
    this.#lastWriteMs = nowMs;
    if (rows.length === 0) return;
    const nowS = Math.floor(nowMs / 1000);
    const keptFrom = new Map(RESOLUTIONS.map(({ stepS, keptS }) => [stepS as number, nowS - keptS]));
    try {
      await this.#rows.write(rows, keptFrom);
    } catch (error) {
      log.warn({ err: error }, "figures could not be written");
    }
  }

  /** The finest resolution that covers the last `spanS` seconds, oldest first. */
  async history(machineId: string, spanS: number, nowMs: number): Promise<MetricsHistory> {
    const { stepS } = RESOLUTIONS.find(({ keptS }) => spanS <= keptS) ?? RESOLUTIONS[2];
    const fromS = Math.floor(nowMs / 1000) - spanS;
    const written = await this.#rows.read(machineId, stepS, fromS);
    const waiting = this.#waiting.filter(
      (row) => row.machine_id === machineId && row.step_s === stepS && row.at_s >= fromS,
    );
    const open = this.#rollups.get(machineId)?.find((rollup) => rollup.stepS === stepS)?.open;
    const samples = [...written, ...waiting].map(sampleOf);
    const lastMs = samples.at(-1)?.atMs ?? 0;
    return { stepS, samples: open && open.atMs > lastMs ? [...samples, open] : samples };
  }

  #rollupsOf(machineId: string): Rollup[] {
    const known = this.#rollups.get(machineId);
    if (known) return known;
    const made = RESOLUTIONS.map(({ stepS }) => new Rollup(stepS));
    this.#rollups.set(machineId, made);
    return made;
  }
}

function rowOf(machineId: string, stepS: number, sample: MetricsSample): MetricSampleTable {
  return {
    machine_id: machineId,
    step_s: stepS,
    at_s: Math.round(sample.atMs / 1000),
    cpu_share: sample.cpuShare,
    mips: sample.mips,
    resident_bytes: sample.residentBytes,
    guest_bytes: sample.guestBytes,
    disk_read_rate: sample.diskReadRate,
    disk_write_rate: sample.diskWriteRate,
    exit_rate: sample.exitRate,
    net_receive_rate: sample.netReceiveRate ?? null,
    net_send_rate: sample.netSendRate ?? null,
  };
}

function sampleOf(row: MetricSampleTable): MetricsSample {
  return {
    atMs: row.at_s * 1000,
    cpuShare: row.cpu_share,
    mips: row.mips,
    residentBytes: row.resident_bytes,
    guestBytes: row.guest_bytes,
    diskReadRate: row.disk_read_rate,
    diskWriteRate: row.disk_write_rate,
    exitRate: row.exit_rate,
    ...(row.net_receive_rate !== null && { netReceiveRate: row.net_receive_rate }),
    ...(row.net_send_rate !== null && { netSendRate: row.net_send_rate }),
  };
}
