// Changes of the list's arrangement: groups are kept by the host with each machine, the order is a preference.

import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { toFailure } from "../../api/failure.ts";
import { client, queryClient } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { selectMachines, startRenaming } from "../../app/navigation.ts";
import { preferences, setPreference } from "../../app/preferences.ts";
import { i18n } from "../../i18n/index.ts";
import { notify, notifyFailure } from "../notifications/model.ts";
import { type DropPlan, withSiblings } from "./drop-plan.ts";
import { allGroups, groupKey, joinGroup } from "./list-model.ts";

async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
    return false;
  }
}

const knownMachines = (): MachineSummary[] => queryClient.getQueryData<MachineSummary[]>(keys.machines) ?? [];

export async function applyDrop(plan: DropPlan): Promise<void> {
  const moved = plan.machineIds.filter((id) => knownMachines().find((entry) => entry.id === id)?.group !== plan.group);
  await attempt(async () => {
    if (moved.length > 0) await client.machines.moveToGroup({ ids: moved, group: plan.group });
    for (const [from, to] of plan.renames) await client.machines.renameGroup({ from, to });
  });
  setPreference("listOrder", withSiblings(preferences.get().listOrder, plan.siblings));
}

export async function moveToGroup(ids: readonly string[], group: string): Promise<void> {
  const before = knownMachines().filter(({ id }) => ids.includes(id));
  if (!(await attempt(() => client.machines.moveToGroup({ ids: [...ids], group })))) return;
  const undo = () =>
    void attempt(async () => {
      for (const { id, group: former } of before) await client.machines.moveToGroup({ ids: [id], group: former });
    });
  const title = group
    ? i18n.t("list.moved", { count: ids.length, group })
    : i18n.t("list.movedOut", { count: ids.length });
  notify({ kind: "info", title, actions: [{ label: i18n.t("common.undo"), run: undo }] });
}

/** A new group with these machines in it, its name ready to be typed over. */
export async function groupMachines(ids: readonly string[], parent: string): Promise<void> {
  const taken = new Set(allGroups(knownMachines()));
  const base = i18n.t("list.newGroup");
  let path = joinGroup(parent, base);
  for (let number = 2; taken.has(path); number++) path = joinGroup(parent, `${base} ${number}`);
  if (!(await attempt(() => client.machines.moveToGroup({ ids: [...ids], group: path })))) return;
  selectMachines(ids, groupKey(path));
  startRenaming(groupKey(path));
}

export async function renameGroup(from: string, to: string): Promise<void> {
  if (from === to) return;
  const done = await attempt(() => client.machines.renameGroup({ from, to }));
  if (!done || !to) return;
  const rename = (path: string) => (path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path);
  setPreference("closedGroups", preferences.get().closedGroups.map(rename));
  setPreference(
    "listOrder",
    preferences.get().listOrder.map((key) => (key.startsWith("g:") ? groupKey(rename(key.slice(2))) : key)),
  );
}

export function setGroupOpen(path: string, open: boolean): void {
  const closed = preferences.get().closedGroups.filter((other) => other !== path);
  setPreference("closedGroups", open ? closed : [...closed, path]);
}
