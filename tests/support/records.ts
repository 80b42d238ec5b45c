// Machine records for tests of the store.

import { type MachineRecord, RECORD_VERSION, type SnapshotRecord } from "../../main/store/machine-record.ts";
import { defaultMachineConfig } from "../../native-core/config/machine-config.ts";

export function testRecord(id: string, change: Partial<MachineRecord> = {}): MachineRecord {
  return {
    recordVersion: RECORD_VERSION,
    id,
    revision: 1,
    createdAtMs: 1_700_000_000_000,
    config: defaultMachineConfig(`machine ${id}`, { kernel: "/boot/vmlinuz", initrd: null, commandLine: "" }),
    state: "powered-off",
    savedState: null,
    currentSnapshotId: null,
    changedSinceSnapshot: false,
    lastFailure: null,
    template: false,
    origin: null,
    generationId: null,
    pending: null,
    encryption: null,
    superseded: [],
    detachedDisks: [],
    snapshots: [],
    ...change,
  };
}

export function testSnapshot(id: string, change: Partial<SnapshotRecord> = {}): SnapshotRecord {
  return {
    id,
    parentId: null,
    name: `snapshot ${id}`,
    description: "",
    takenAtMs: 1_700_000_000_000,
    config: testRecord("000000000000").config,
    layers: [],
    memory: null,
    pauseMs: null,
    writtenBytes: 0,
    hasThumbnail: false,
    kind: "user",
    pinned: false,
    transient: false,
    deletedAtMs: null,
    ...change,
  };
}
