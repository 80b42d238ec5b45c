// Applies the host's change events to the query cache and to the metrics history, in order.
import type { QueryClient } from "@tanstack/react-query";
import type { AppEvent, MachineDetails, MachineSummary, Task } from "../../main/contract/schemas.ts";
import type { Client } from "./connection.ts";
import { keys } from "./keys.ts";
import { recordMetrics } from "./metrics.ts";

export interface EventSinks {
  /** A machine that was known before changed. */
  onMachineChanged(before: MachineSummary, after: MachineSummary): void;
  onTask(task: Task): void;
  onMachineRemoved(id: string): void;
  onPreferences(changes: Readonly<Record<string, unknown>>): void;
}

/** The list with this machine in it, unless a newer record is already there. */
export function withMachine(list: MachineSummary[] | undefined, machine: MachineSummary): MachineSummary[] | undefined {
  if (!list) return list;
  const index = list.findIndex((entry) => entry.id === machine.id);
  if (index < 0) return [...list, machine];
  // An answer to an earlier request may be newer than this event.
  if ((list[index]?.revision ?? 0) > machine.revision) return list;
  return list.with(index, machine);
}

export function applyEvent(cache: QueryClient, event: AppEvent, sinks: EventSinks): void {
  switch (event.kind) {
    case "machine": {
      const { machine } = event;
      const before = cache.getQueryData<MachineSummary[]>(keys.machines)?.find((entry) => entry.id === machine.id);
      if (before && before.revision < machine.revision) sinks.onMachineChanged(before, machine);
      cache.setQueryData<MachineSummary[]>(keys.machines, (list) => withMachine(list, machine));
      cache.setQueryData<MachineDetails>(keys.machine(machine.id), (details) =>
        details && details.revision <= machine.revision ? { ...details, ...machine } : details,
      );
      void cache.invalidateQueries({ queryKey: keys.machine(machine.id), exact: true });
      void cache.invalidateQueries({ queryKey: keys.log(machine.id) });
      return;
    }
    case "machineRemoved":
      cache.setQueryData<MachineSummary[]>(keys.machines, (list) => list?.filter((entry) => entry.id !== event.id));
      cache.removeQueries({ queryKey: keys.machine(event.id) });
      sinks.onMachineRemoved(event.id);
      return;
    case "snapshots":
      void cache.invalidateQueries({ queryKey: keys.snapshots(event.machineId) });
      void cache.invalidateQueries({ queryKey: keys.space(event.machineId) });
      return;
    case "task":
      sinks.onTask(event.task);
      return;
    case "preferences":
      sinks.onPreferences(event.changes);
      return;
    case "metrics":
      recordMetrics(event.machineId, event.sample);
      return;
  }
}

/** Runs until the connection is lost. */
export async function followEvents(client: Client, cache: QueryClient, sinks: EventSinks): Promise<void> {
  for await (const event of await client.events.subscribe()) applyEvent(cache, event, sinks);
}
