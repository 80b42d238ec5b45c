// Groups of machines: a path such as `Work/Servers` in each machine's configuration, so that they survive the loss of the database and
// travel with the machine's folder. A group exists as long as a machine is in it; what windows collapse or sort is a preference.
import type { ServiceContext } from "../context.ts";
import { validConfig } from "./creation.ts";
import type { Machine } from "./machine.ts";

/** Puts machines into a group; "" is none. */
export async function moveToGroup(context: ServiceContext, ids: readonly string[], group: string): Promise<void> {
  // All are looked up first: an id that is unknown changes nothing.
  const machines = ids.map((id) => context.registry.get(id));
  for (const machine of machines) await setGroup(machine, group);
}

/** Renames a group with all groups in it. An empty new name dissolves it into the group around it. */
export async function renameGroup(context: ServiceContext, from: string, to: string): Promise<void> {
  for (const machine of context.registry.list()) {
    const { group } = machine.record.config;
    if (group !== from && !group.startsWith(`${from}/`)) continue;
    const rest = group.slice(from.length + 1);
    await setGroup(machine, [to, rest].filter(Boolean).join("/"));
  }
}

async function setGroup(machine: Machine, group: string): Promise<void> {
  if (machine.record.config.group === group) return;
  await machine.update((record) => ({ config: validConfig({ ...record.config, group }) }));
}
