// The tables as kysely sees them. The statements that make them are in migrations/.
import type { Generated } from "kysely";

export interface MachineTable {
  id: string;
  name: string;
  state: string;
  revision: number;
  created_at_ms: number;
  /** JSON documents; the shapes are in machine-record.ts. */
  config: string;
  saved_state: string | null;
  current_snapshot_id: string | null;
  changed_since_snapshot: number;
  last_failure: string | null;
  pending: string | null;
  template: number;
  origin: string | null;
  generation_id: string | null;
  encryption: string | null;
  detached_disks: string;
}

export interface SnapshotTable {
  id: string;
  machine_id: string;
  parent_id: string | null;
  name: string;
  description: string;
  taken_at_ms: number;
  config: string;
  memory: string | null;
  pause_ms: number | null;
  written_bytes: number;
  has_thumbnail: number;
  kind: string;
  pinned: number;
  transient: number;
  deleted_at_ms: number | null;
}

export interface SnapshotLayerTable {
  snapshot_id: string;
  disk_id: string;
  file: string;
  format: string;
}

/** What happened to the store itself: repairs, rebuilds, migrations that a user may ask about later. */
interface StoreEventTable {
  id: Generated<number>;
  at_ms: number;
  message: string;
}

interface PreferenceTable {
  key: string;
  /** JSON. */
  value: string;
}

export interface MetricSampleTable {
  machine_id: string;
  step_s: number;
  at_s: number;
  cpu_share: number;
  mips: number;
  resident_bytes: number;
  guest_bytes: number;
  disk_read_rate: number;
  disk_write_rate: number;
  exit_rate: number;
  net_receive_rate: number | null;
  net_send_rate: number | null;
}

export interface StoreTables {
  preference: PreferenceTable;
  metric_sample: MetricSampleTable;
  machine: MachineTable;
  snapshot: SnapshotTable;
  snapshot_layer: SnapshotLayerTable;
  store_event: StoreEventTable;
}
