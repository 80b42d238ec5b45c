// The last samples of every running machine, for the figures and thin lines in Details.
import type { VmMetrics } from "../../native-core/protocol/engine.ts";
import { createStore, useStore } from "./store.ts";

export const METRICS_HISTORY = 60;

export interface MetricsHistory {
  /** Oldest first, at most METRICS_HISTORY. */
  readonly samples: readonly VmMetrics[];
}

const EMPTY: MetricsHistory = { samples: [] };
const history = createStore<ReadonlyMap<string, MetricsHistory>>(new Map());

export function recordMetrics(machineId: string, metrics: VmMetrics): void {
  history.set((all) => {
    const samples = [...(all.get(machineId)?.samples ?? []), metrics].slice(-METRICS_HISTORY);
    return new Map(all).set(machineId, { samples });
  });
}

export function forgetMetrics(machineId: string): void {
  history.set((all) => {
    if (!all.has(machineId)) return all;
    const rest = new Map(all);
    rest.delete(machineId);
    return rest;
  });
}

export function useMetrics(machineId: string): MetricsHistory {
  return useStore(history, (all) => all.get(machineId) ?? EMPTY);
}
