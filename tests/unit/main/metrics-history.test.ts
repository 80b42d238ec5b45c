import { rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MetricsRecorder } from "../../../main/services/machines/metrics-history.ts";
import { openDatabase } from "../../../main/store/database.ts";
import { MetricRows } from "../../../main/store/metric-rows.ts";
import type { VmMetrics } from "../../../native-core/protocol/engine.ts";
import { temporaryFolder } from "../../support/test-app.ts";

const ID = "0123456789ab";
const START_MS = 1_800_000_000_000;

const sample = (change: Partial<VmMetrics> = {}): VmMetrics => ({
  mips: 10,
  cpuShare: 0.5,
  residentBytes: 100,
  guestBytes: 80,
  diskReadBytes: 0,
  diskWrittenBytes: 0,
  ...change,
});

let folder: string;
let opened: Awaited<ReturnType<typeof openDatabase>>;
let recorder: MetricsRecorder;

beforeEach(async () => {
  folder = await temporaryFolder();
  opened = await openDatabase(path.join(folder, "terrarium.db"));
  recorder = new MetricsRecorder(new MetricRows(opened.database), START_MS);
});

afterEach(async () => {
  await opened.database.destroy();
  await rm(folder, { recursive: true });
});

/** One sample per second for `seconds`, then everything written. */
async function record(seconds: number, of: (second: number) => VmMetrics): Promise<number> {
  for (let second = 0; second < seconds; second++) recorder.add(ID, of(second), START_MS + second * 1000);
  const endMs = START_MS + seconds * 1000;
  await recorder.flush(endMs);
  return endMs;
}

describe("the history of figures", () => {
  test("the last minutes are there second by second, hours in steps of ten seconds, the day in minutes", async () => {
    const endMs = await record(1200, (second) => sample({ cpuShare: second < 1140 ? 0 : 1 }));
    const minutes = await recorder.history(ID, 60, endMs);
    expect(minutes.stepS).toBe(1);
    expect(minutes.samples.length).toBe(60);
    expect(minutes.samples.every(({ cpuShare }) => cpuShare === 1)).toBe(true);
    const hours = await recorder.history(ID, 3600, endMs);
    expect(hours.stepS).toBe(10);
    expect(hours.samples.length).toBe(120);
    const day = await recorder.history(ID, 86_400, endMs);
    expect(day.stepS).toBe(60);
    expect(day.samples.map(({ cpuShare }) => cpuShare)).toEqual([...Array<number>(19).fill(0), 1]);
  });

  test("what is older than its resolution is kept is gone", async () => {
    const endMs = await record(1200, () => sample());
    const { rows } = await import("kysely").then(({ sql }) =>
      sql<{ step_s: number; first: number; count: number }>`
        SELECT step_s, MIN(at_s) AS first, COUNT(*) AS count FROM metric_sample GROUP BY step_s ORDER BY step_s
      `.execute(opened.database),
    );
    expect(rows.map(({ step_s }) => step_s)).toEqual([1, 10, 60]);
    expect(rows[0]?.first).toBe(endMs / 1000 - 600);
  });

  test("disk counters become rates, and one that fell, as after a restart, counts as none", async () => {
    const written = [0, 1000, 3000, 500, 700];
    const endMs = await record(5, (second) => sample({ diskWrittenBytes: written[second] ?? 0 }));
    const { samples } = await recorder.history(ID, 60, endMs);
    expect(samples.map(({ diskWriteRate }) => diskWriteRate)).toEqual([0, 1000, 2000, 0, 200]);
  });

  test("what networks carried is kept too, and a machine without an adapter has none of it", async () => {
    const network = (second: number) => ({
      receivedBytes: second * 100,
      receivedFrames: second,
      sentBytes: second * 10,
      sentFrames: second,
    });
    const endMs = await record(20, (second) => sample(second < 10 ? {} : { network: network(second) }));
    const { samples } = await recorder.history(ID, 60, endMs);
    expect(samples[5]).not.toHaveProperty("netReceiveRate");
    expect(samples[15]).toMatchObject({ netReceiveRate: 100, netSendRate: 10 });
    const hours = await recorder.history(ID, 3600, endMs);
    expect(hours.samples.map(({ netSendRate }) => netSendRate)).toEqual([undefined, 9]);
  });

  test("samples that are not written yet are part of the answer, and machines are kept apart", async () => {
    for (let second = 0; second < 5; second++) recorder.add(ID, sample(), START_MS + second * 1000);
    recorder.add("ba9876543210", sample(), START_MS);
    expect((await recorder.history(ID, 60, START_MS + 5000)).samples.length).toBe(5);
    expect((await recorder.history("ba9876543210", 60, START_MS + 5000)).samples.length).toBe(1);
    expect((await recorder.history("ffffffffffff", 60, START_MS + 5000)).samples).toEqual([]);
  });
});
