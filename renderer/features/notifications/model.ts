// What the user is told, non-modally: results, failures with remedy, running tasks with progress and cancel, and undo offers.
import type { Failure, Task } from "../../../main/contract/schemas.ts";
import { createStore } from "../../api/store.ts";
import { i18n } from "../../i18n/index.ts";

export type NoticeKind = "info" | "success" | "error" | "progress";

export interface NoticeAction {
  readonly label: string;
  run(): void;
}

export interface Notice {
  readonly id: string;
  readonly kind: NoticeKind;
  readonly title: string;
  readonly detail?: string;
  readonly failure?: Failure;
  /** 0..1, or null while unknown. */
  readonly progress?: number | null;
  readonly actions: readonly NoticeAction[];
  readonly atMs: number;
  /** Still on the screen as a toast; afterwards it is only in the list behind the bell. */
  readonly shown: boolean;
}

const KEPT = 50;
const TASK_SHOW_AFTER_MS = 400;
const REPEAT_WINDOW_MS = 3000;

export const notices = createStore<readonly Notice[]>([]);
let counter = 0;

function upsert(notice: Notice): void {
  notices.set((all) => [notice, ...all.filter((other) => other.id !== notice.id)].slice(0, KEPT));
}

function patch(id: string, change: Partial<Notice>): void {
  notices.set((all) => all.map((notice) => (notice.id === id ? { ...notice, ...change } : notice)));
}

type NewNotice = Pick<Notice, "kind" | "title"> & Partial<Omit<Notice, "id" | "atMs" | "shown">>;

export function notify(notice: NewNotice): string {
  const id = `notice-${++counter}`;
  upsert({ actions: [], ...notice, id, atMs: Date.now(), shown: true });
  return id;
}

/** A failure may arrive twice, as the rejected command and as its failed task: it is shown once. */
export function notifyFailure(title: string, failure: Failure, actions: readonly NoticeAction[] = []): string {
  const now = Date.now();
  const repeated = notices
    .get()
    .find((other) => other.failure?.message === failure.message && now - other.atMs < REPEAT_WINDOW_MS);
  if (!repeated) return notify({ kind: "error", title, failure, actions });
  patch(repeated.id, { atMs: now, shown: true });
  return repeated.id;
}

export function dismiss(id: string): void {
  patch(id, { shown: false });
}

export function clearNotices(): void {
  notices.set((all) => all.filter((notice) => notice.kind === "progress"));
}

const pendingTasks = new Map<string, ReturnType<typeof setTimeout>>();

/** Shows a task once it has lasted long enough to be worth a look; a short one leaves no trace unless it fails. */
export function followTask(task: Task, cancel: (taskId: string) => void): void {
  const id = `task-${task.id}`;
  const existing = notices.get().find((notice) => notice.id === id);
  if (task.state === "running") {
    if (existing) return patch(id, { progress: task.progress, title: task.title });
    clearTimeout(pendingTasks.get(id));
    const show = () => {
      pendingTasks.delete(id);
      const actions = task.cancellable ? [{ label: i18n.t("common.cancel"), run: () => cancel(task.id) }] : [];
      upsert({
        id,
        kind: "progress",
        title: task.title,
        progress: task.progress,
        actions,
        atMs: Date.now(),
        shown: true,
      });
    };
    const elapsed = Date.now() - task.startedAtMs;
    pendingTasks.set(id, setTimeout(show, Math.min(TASK_SHOW_AFTER_MS, Math.max(0, TASK_SHOW_AFTER_MS - elapsed))));
    return;
  }
  clearTimeout(pendingTasks.get(id));
  pendingTasks.delete(id);
  if (task.state === "failed" && task.failure) {
    notices.set((all) => all.filter((notice) => notice.id !== id));
    notifyFailure(task.title, task.failure);
  } else if (existing) {
    const kind = task.state === "succeeded" ? "success" : "info";
    upsert({ ...existing, kind, progress: 1, actions: [], atMs: Date.now() });
  }
}

/** Tasks of a connection that is gone will never report again. */
export function forgetTasks(): void {
  for (const timer of pendingTasks.values()) clearTimeout(timer);
  pendingTasks.clear();
  notices.set((all) => all.filter((notice) => notice.kind !== "progress"));
}
