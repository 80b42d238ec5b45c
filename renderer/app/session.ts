// Keeps this window in step with the host for as long as it is open: connection, events, tasks, notices.

import type { MachineSummary } from "../../main/contract/schemas.ts";
import { followEvents } from "../api/events.ts";
import { toFailure } from "../api/failure.ts";
import { client, connection, queryClient } from "../api/index.ts";
import { keys } from "../api/keys.ts";
import { forgetMetrics } from "../api/metrics.ts";
import { dropConsole } from "../features/console/sessions.ts";
import { startOrShow } from "../features/machines/run-command.ts";
import { dismiss, followTask, forgetTasks, notify, notifyFailure } from "../features/notifications/model.ts";
import { i18n } from "../i18n/index.ts";
import { applyPreferenceChanges, loadPreferences } from "./preferences-sync.ts";

const told = new Set<string>();
/** The notice about each machine that is aborted now; it is outdated once the machine runs again. */
const abortNotices = new Map<string, string>();

/** What the host repaired at its start is told once, however often the connection is made anew. */
function tellHostNotices(): void {
  const state = connection.state.get();
  if (state.kind !== "open") return;
  for (const notice of state.host.notices) {
    if (told.has(notice)) continue;
    told.add(notice);
    notify({ kind: "info", title: i18n.t("notices.hostNotice"), detail: notice });
  }
}

/** As the machine is by then: it may have been started meanwhile. */
function startAgain(id: string): void {
  const machine = queryClient.getQueryData<MachineSummary[]>(keys.machines)?.find((entry) => entry.id === id);
  if (machine) startOrShow(machine);
}

/** A machine that ended by itself is announced wherever the user is, with the way back. */
function tellAbort(before: MachineSummary, after: MachineSummary): void {
  if (after.state !== "aborted") {
    dismiss(abortNotices.get(after.id) ?? "");
    abortNotices.delete(after.id);
    return;
  }
  if (before.state === "aborted" || !after.lastFailure) return;
  const notice = notifyFailure(i18n.t("failure.aborted", { name: after.name }), after.lastFailure, [
    { label: i18n.t("command.start"), run: () => startAgain(after.id) },
  ]);
  abortNotices.set(after.id, notice);
}

function cancelTask(taskId: string): void {
  client.tasks.cancel({ taskId }).catch((error: unknown) => {
    notifyFailure(i18n.t("failure.generic"), toFailure(error));
  });
}

async function followHost(): Promise<void> {
  const events = followEvents(client, queryClient, {
    onMachineChanged: tellAbort,
    onTask: (task) => followTask(task, cancelTask),
    onMachineRemoved: (id) => {
      forgetMetrics(id);
      dropConsole(id);
    },
    onPreferences: applyPreferenceChanges,
  });
  void loadPreferences().catch(() => undefined);
  // Subscribed first, read afterwards: nothing that happens in between is missed.
  void queryClient.invalidateQueries();
  const tasks = await client.tasks.list();
  for (const task of tasks) if (task.state === "running") followTask(task, cancelTask);
  await events;
}

export function startSession(): void {
  void connection.run(() => {
    forgetTasks();
    tellHostNotices();
    // A broken event stream means a lost connection; the connection itself notices and starts over.
    followHost().catch(() => undefined);
  });
}
