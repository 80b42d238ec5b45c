// The last minutes of every running machine as they happen; older figures come from the host's history.
import type { MetricsSample } from "../../main/contract/schemas.ts";
import { createStore, useStore } from "./store.ts";

const LIVE_KEPT = 600;

const EMPTY: readonly MetricsSample[] = [];
const live = createStore<ReadonlyMap<string, readonly MetricsSample[]>>(new Map());

export function recordMetrics(machineId: string, sample: MetricsSample): void {
  live.set((all) => {
    const samples = [...(all.get(machineId) ?? []), sample].slice(-LIVE_KEPT);
    return new Map(all).set(machineId, samples);
  });
}

export function forgetMetrics(machineId: string): void {
  live.set((all) => {
    if (!all.has(machineId)) return all;
    const rest = new Map(all);
    rest.delete(machineId);
    return rest;
  });
}

/** Oldest first, at most ten minutes. */
export function useMetrics(machineId: string): readonly MetricsSample[] {
  return useStore(live, (all) => all.get(machineId) ?? EMPTY);
}

/** The last sample of every machine that reported one. */
export function useAllMetrics(): ReadonlyMap<string, readonly MetricsSample[]> {
  return useStore(live);
}
