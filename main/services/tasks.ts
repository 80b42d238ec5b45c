// Tasks: work that takes long enough to be shown, with progress and, where it is safe, a way to cancel it.
import { AppError, isAppError } from "../../native-core/common/errors.ts";
import type { Task } from "../contract/schemas.ts";
import type { EventHub } from "./events.ts";
import { failureOf } from "./failures.ts";
import { newId } from "./ids.ts";

export interface TaskHandle {
  readonly signal: AbortSignal;
  /** Share done, 0..1. Clients hear of whole percents only. */
  progress(share: number): void;
}

export interface TaskOptions {
  readonly title: string;
  readonly machineId: string | null;
  readonly cancellable: boolean;
}

/** Ended tasks that are remembered for clients that connect later. */
const ENDED_KEPT = 50;

export class TaskService {
  readonly #events: EventHub;
  readonly #tasks = new Map<string, { task: Task; controller: AbortController }>();

  constructor(events: EventHub) {
    this.#events = events;
  }

  list(): Task[] {
    return [...this.#tasks.values()].map((entry) => entry.task);
  }

  /** Runs `work` as a task and settles as it does. */
  async run<T>(options: TaskOptions, work: (handle: TaskHandle) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const id = newId();
    const task: Task = {
      id,
      ...options,
      state: "running",
      progress: null,
      failure: null,
      startedAtMs: Date.now(),
      endedAtMs: null,
    };
    this.#publish(task, controller);
    const update = (change: Partial<Task>) => {
      const current = this.#tasks.get(id)?.task ?? task;
      this.#publish({ ...current, ...change }, controller);
    };
    let percent = -1;
    const handle: TaskHandle = {
      signal: controller.signal,
      progress(share) {
        const next = Math.floor(Math.min(1, Math.max(0, share)) * 100);
        if (next === percent) return;
        percent = next;
        update({ progress: next / 100 });
      },
    };
    try {
      const result = await work(handle);
      update({ state: "succeeded", progress: 1, endedAtMs: Date.now() });
      return result;
    } catch (error) {
      const wasCancelled = controller.signal.aborted && isAppError(error) && error.code === "CANCELLED";
      update({ state: wasCancelled ? "cancelled" : "failed", failure: failureOf(error), endedAtMs: Date.now() });
      throw error;
    } finally {
      this.#forgetOld();
    }
  }

  cancel(id: string): void {
    const entry = this.#tasks.get(id);
    if (!entry) throw new AppError("NOT_FOUND", `There is no task ${id}`, { field: "taskId" });
    if (entry.task.state !== "running") return;
    if (!entry.task.cancellable) {
      throw new AppError("UNSUPPORTED", `"${entry.task.title}" can't be cancelled`, {
        field: "taskId",
        remedy: "Wait until it ends.",
      });
    }
    entry.controller.abort();
  }

  #publish(task: Task, controller: AbortController): void {
    this.#tasks.set(task.id, { task, controller });
    this.#events.emit({ kind: "task", task });
  }

  #forgetOld(): void {
    const ended = [...this.#tasks.values()].filter((entry) => entry.task.state !== "running");
    for (const entry of ended.slice(0, Math.max(0, ended.length - ENDED_KEPT))) this.#tasks.delete(entry.task.id);
  }
}
