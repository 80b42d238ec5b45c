import { describe, expect, test } from "vitest";
import type { HostInfo, MachineDetails, MachineSummary, MetricsSample } from "../../../main/contract/schemas.ts";
import { advise } from "../../../renderer/features/activity/advisor.ts";
import { mergeSamples, samplesCsv, withGaps } from "../../../renderer/features/activity/history-model.ts";
import { nextSorting, overviewCsv, sortOverview } from "../../../renderer/features/activity/overview-model.ts";

const MIB = 2 ** 20;

const sample = (atS: number, change: Partial<MetricsSample> = {}): MetricsSample => ({
  atMs: atS * 1000,
  cpuShare: 0.2,
  mips: 10,
  residentBytes: 100 * MIB,
  guestBytes: 150 * MIB,
  diskReadRate: 0,
  diskWriteRate: 0,
  exitRate: 0,
  ...change,
});

const lasting = (change: Partial<MetricsSample>) => [sample(0, change), sample(60, change), sample(180, change)];

const machine = (change: object = {}): MachineDetails =>
  ({ config: { memoryMiB: 256 }, disks: [], ...change }) as unknown as MachineDetails;
const host = { memoryBytes: 16 * 1024 * MIB, freeMemoryBytes: 8 * 1024 * MIB } as HostInfo;
const kinds = (details: MachineDetails, samples: MetricsSample[], of = host) =>
  advise(details, samples, of).map(({ kind }) => kind);

describe("the advisor", () => {
  test("has nothing to say about a machine that is well", () => {
    expect(kinds(machine(), lasting({}))).toEqual([]);
  });

  test("suggests more memory when the guest touched nearly all of it", () => {
    expect(advise(machine(), lasting({ guestBytes: 250 * MIB }), host)).toEqual([
      { kind: "memoryMore", field: "memoryMiB", values: { percent: 98, suggested: 384 } },
    ]);
  });

  test("suggests less when most of it was never touched, but only if it is worth it", () => {
    const large = machine({ config: { memoryMiB: 1024 } });
    expect(advise(large, lasting({ guestBytes: 100 * MIB }), host)).toEqual([
      { kind: "memoryLess", field: "memoryMiB", values: { percent: 10, suggested: 192 } },
    ]);
    expect(kinds(machine({ config: { memoryMiB: 128 } }), lasting({ guestBytes: 30 * MIB }))).toEqual([]);
  });

  test("does not judge before it has looked for two minutes", () => {
    expect(kinds(machine(), [sample(0, { guestBytes: 250 * MIB }), sample(60, { guestBytes: 250 * MIB })])).toEqual([]);
  });

  test("names a disk that is nearly full, a core that is always busy, and a host that is short of memory", () => {
    const disk = { id: "disk0", format: "qcow2", readOnly: false, sizeBytes: 100, usedBytes: 93 };
    const tight = { ...host, freeMemoryBytes: 0.05 * host.memoryBytes };
    expect(kinds(machine({ disks: [disk] }), lasting({ cpuShare: 0.97 }), tight)).toEqual([
      "busy",
      "diskFull",
      "hostMemory",
    ]);
  });
});

describe("figures over time", () => {
  test("live samples continue the written ones without repeating them", () => {
    expect(mergeSamples([sample(1), sample(2)], [sample(2), sample(3)]).map(({ atMs }) => atMs)).toEqual([
      1000, 2000, 3000,
    ]);
  });

  test("a time in which the machine did not run breaks the line", () => {
    const points = withGaps([sample(0), sample(1), sample(400)], 1);
    expect(points.map((point) => typeof point)).toEqual(["object", "object", "number", "object"]);
  });

  test("as CSV, one line per sample with units in the header", () => {
    expect(samplesCsv([sample(0), { ...sample(0), netReceiveRate: 5, netSendRate: 0.25 }])).toBe(
      "time,cpu_share,mips,resident_bytes,guest_bytes,disk_read_bytes_per_s,disk_write_bytes_per_s,exits_per_s," +
        "net_received_bytes_per_s,net_sent_bytes_per_s\r\n" +
        "1970-01-01T00:00:00.000Z,0.2,10,104857600,157286400,0,0,0,,\r\n" +
        "1970-01-01T00:00:00.000Z,0.2,10,104857600,157286400,0,0,0,5,0.25\r\n",
    );
  });
});

describe("the overview", () => {
  const row = (name: string, cpuShare?: number) => ({
    machine: { name, state: "running" } as MachineSummary,
    sample: cpuShare === undefined ? undefined : sample(0, { cpuShare }),
  });
  const rows = [row("b", 0.1), row("off"), row("a", 0.9)];
  const names = (column: "name" | "cpuShare", descending: boolean) =>
    sortOverview(rows, { column, descending }).map(({ machine: { name } }) => name);

  test("sorts by a figure with the machines that have none last, and by name", () => {
    expect(names("cpuShare", true)).toEqual(["a", "b", "off"]);
    expect(names("cpuShare", false)).toEqual(["b", "a", "off"]);
    expect(names("name", false)).toEqual(["a", "b", "off"]);
  });

  test("a machine without an adapter has no network traffic, which is not the same as none", () => {
    const plugged = { ...row("plugged"), sample: { ...sample(0), netReceiveRate: 0, netSendRate: 7 } };
    const sorted = sortOverview([row("bare", 0.9), plugged], { column: "netReceiveRate", descending: false });
    expect(sorted.map(({ machine: { name } }) => name)).toEqual(["plugged", "bare"]);
    const [, first, second] = overviewCsv(sorted).split("\r\n");
    expect(first).toMatch(/,0,7$/);
    expect(second).toMatch(/,,$/);
  });

  test("a second click turns the order round; figures begin with the largest", () => {
    expect(nextSorting({ column: "name", descending: false }, "mips")).toEqual({ column: "mips", descending: true });
    expect(nextSorting({ column: "mips", descending: true }, "mips")).toEqual({ column: "mips", descending: false });
  });

  test("names can't break the file nor become formulas in a spreadsheet", () => {
    const csv = overviewCsv([row("=1+1"), row('say "hi", you')]);
    expect(csv.split("\r\n").slice(1, 3)).toEqual(["'=1+1,running,,,,,,,,", '"say ""hi"", you",running,,,,,,,,']);
  });
});
