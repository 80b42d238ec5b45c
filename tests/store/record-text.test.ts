import { describe, expect, it } from "vitest";
import { machineRecordSchema } from "../../main/store/machine-record.ts";
import { decodeRecord, encodeRecord } from "../../main/store/record-text.ts";
import { testRecord, testSnapshot } from "../support/records.ts";

const base = testRecord("0123456789ab");

function snapshots(count: number) {
  return Array.from({ length: count }, (_, index) => {
    const id = index.toString(16).padStart(12, "0");
    const disk = { id: "disk0", file: `disks/disk0-${id}.qcow2`, format: "qcow2" as const, readOnly: false };
    const memoryMiB = index % 2 === 0 ? 256 : 512;
    return testSnapshot(id, { config: { ...base.config, memoryMiB, disks: [disk] } });
  });
}

describe("machine.json", () => {
  it.each([0, 1, 5])("with %i snapshots reads as it was written", (count) => {
    const record = testRecord("0123456789ab", { snapshots: snapshots(count) });
    expect(machineRecordSchema.parse(decodeRecord(encodeRecord(record)))).toEqual(record);
  });

  it("is read as it was written before snapshots had their configurations in common", () => {
    const record = testRecord("0123456789ab", { snapshots: snapshots(3) });
    expect(machineRecordSchema.parse(decodeRecord(JSON.stringify(record)))).toEqual(record);
  });

  it("holds each configuration once", () => {
    const record = testRecord("0123456789ab", { snapshots: snapshots(100) });
    const { configs } = JSON.parse(encodeRecord(record)) as { configs: object };
    expect(Object.keys(configs)).toHaveLength(2);
    expect(encodeRecord(record).length).toBeLessThan(JSON.stringify(record).length / 2);
  });

  it("has a change of one snapshot like any other", () => {
    const before = snapshots(3);
    encodeRecord(testRecord("0123456789ab", { snapshots: before }));
    const [first, ...rest] = before;
    const record = testRecord("0123456789ab", {
      snapshots: [{ ...(first ?? expect.fail("there is one")), name: "renamed" }, ...rest],
    });
    expect(machineRecordSchema.parse(decodeRecord(encodeRecord(record)))).toEqual(record);
  });

  it.each([
    ['{"configs": {}, "snapshots": [{"config": "toString"}]}', "snapshots.0.config"],
    ['{"configs": {"k": 7}, "snapshots": [{"config": "k"}]}', "snapshots.0.config"],
    ['{"configs": [], "snapshots": 3}', "snapshots"],
    ['{"configs": {"k": {}}, "snapshots": [7, null, []]}', "snapshots.0"],
  ])("that is hostile is refused by its field: %s", (text, field) => {
    const parsed = machineRecordSchema.safeParse(decodeRecord(text));
    expect(parsed.error?.issues.map((issue) => issue.path.join("."))).toContainEqual(expect.stringContaining(field));
  });
});
