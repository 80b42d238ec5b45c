// The advisor: what a machine's figures say should be changed, and why. Pure, so that every rule has its test.
import type { HostInfo, MachineDetails, MetricsSample } from "../../../main/contract/schemas.ts";
import { MEMORY_MAX_MIB, MEMORY_MIN_MIB } from "../../../native-core/config/machine-config.ts";

const MIB = 2 ** 20;

export interface Hint {
  readonly kind: "memoryMore" | "memoryLess" | "diskFull" | "hostMemory" | "busy";
  /** Setting that the button leads to; null where the remedy is another. */
  readonly field: string | null;
  /** Numbers for the text. */
  readonly values: Readonly<Record<string, string | number>>;
}

/** Steps of 64 MiB, as the slider has them. */
const roundMiB = (mebibytes: number): number =>
  Math.min(MEMORY_MAX_MIB, Math.max(MEMORY_MIN_MIB, Math.ceil(mebibytes / 64) * 64));

function average(samples: readonly MetricsSample[], pick: (sample: MetricsSample) => number): number {
  return samples.reduce((sum, sample) => sum + pick(sample), 0) / Math.max(1, samples.length);
}

/** A judgement needs this long a look. */
const LOOK_MS = 120_000;

export function advise(machine: MachineDetails, samples: readonly MetricsSample[], host: HostInfo | null): Hint[] {
  const hints: Hint[] = [];
  const { config } = machine;
  const [first, last] = [samples[0], samples.at(-1)];
  const long = first && last && last.atMs - first.atMs >= LOOK_MS;
  const highest = Math.max(0, ...samples.map(({ guestBytes }) => guestBytes));
  const share = highest / (config.memoryMiB * MIB);
  if (long && share > 0.95 && config.memoryMiB < MEMORY_MAX_MIB) {
    const suggested = roundMiB(config.memoryMiB * 1.5);
    hints.push({ kind: "memoryMore", field: "memoryMiB", values: { percent: Math.round(share * 100), suggested } });
  }
  if (long && highest > 0 && share < 0.35) {
    const suggested = roundMiB((highest / MIB) * 1.6);
    if (suggested <= config.memoryMiB - 128)
      hints.push({ kind: "memoryLess", field: "memoryMiB", values: { percent: Math.round(share * 100), suggested } });
  }
  const busy = average(samples, ({ cpuShare }) => cpuShare);
  if (long && busy > 0.9) hints.push({ kind: "busy", field: null, values: { percent: Math.round(busy * 100) } });
  for (const disk of machine.disks) {
    const full = disk.usedBytes / Math.max(1, disk.sizeBytes);
    if (disk.readOnly || full < 0.9 || disk.format !== "qcow2") continue;
    hints.push({ kind: "diskFull", field: "disks", values: { disk: disk.id, percent: Math.round(full * 100) } });
  }
  if (host && last && host.freeMemoryBytes < 0.08 * host.memoryBytes)
    hints.push({
      kind: "hostMemory",
      field: null,
      values: { percent: Math.round((host.freeMemoryBytes / host.memoryBytes) * 100) },
    });
  return hints;
}
