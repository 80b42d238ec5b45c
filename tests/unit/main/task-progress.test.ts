// A command of the command line whose work is a task of the host.
import { expect, it } from "vitest";
import type { Session } from "../../../main/cli/session.ts";
import { withProgress } from "../../../main/cli/task-progress.ts";
import type { Task } from "../../../main/contract/schemas.ts";
import { AppError } from "../../../native-core/common/errors.ts";

function taskCalled(id: string, title: string): Task {
  return {
    ...{ id, title, machineId: null, state: "running", progress: 0.5, cancellable: true },
    ...{ failure: null, startedAtMs: 0, endedAtMs: null },
  };
}

it("Ctrl+C cancels the task that the command began, no other, and the command fails with that", async () => {
  const tasks = [taskCalled("others", "Converting a.vdi")];
  const { promise, reject } = Promise.withResolvers<never>();
  const cancelled: string[] = [];
  const client = {
    tasks: {
      list: async () => [...tasks],
      cancel: async ({ taskId }: { taskId: string }) => {
        cancelled.push(taskId);
        reject(new AppError("CANCELLED", "It was cancelled"));
      },
    },
  };
  const session = { json: true, client: async () => client } as unknown as Session;
  const before = process.listeners("SIGINT");
  const command = withProgress(session, "Converting a.vdi", () => {
    tasks.push(taskCalled("own", "Converting a.vdi (VDI)"), taskCalled("later", "Converting b.vdi"));
    for (const listener of process.listeners("SIGINT")) if (!before.includes(listener)) listener("SIGINT");
    return promise;
  });
  await expect(command).rejects.toMatchObject({ code: "CANCELLED" });
  expect(cancelled).toEqual(["own"]);
  expect(process.listeners("SIGINT")).toEqual(before);
});
