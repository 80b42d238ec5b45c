// Commands whose work is a task of the host: a terminal shows how far it is, and Ctrl+C cancels it.
import type { Task } from "../contract/schemas.ts";
import type { RpcClient } from "../rpc/client.ts";
import type { Session } from "./session.ts";

const LOOK_EVERY_MS = 500;

/**
 * `call` runs a task whose title begins with `title`. Ctrl+C cancels that, upon which `call` rejects with CANCELLED; a second one ends the
 * command as usual, and the host finishes what it was doing.
 */
export async function withProgress<T>(
  session: Session,
  title: string,
  call: (client: RpcClient) => Promise<T>,
): Promise<T> {
  const client = await session.client();
  const earlier = new Set((await client.tasks.list()).map(({ id }) => id));
  const find = async (): Promise<Task | undefined> =>
    (await client.tasks.list()).findLast(
      (task) => task.state === "running" && task.title.startsWith(title) && !earlier.has(task.id),
    );
  const interrupt = async () => {
    const task = await find();
    if (task) await client.tasks.cancel({ taskId: task.id });
  };
  const onInterrupt = () => void interrupt().catch(() => undefined);
  process.once("SIGINT", onInterrupt);
  const stopShowing = process.stderr.isTTY && !session.json ? showProgress(find) : () => undefined;
  try {
    return await call(client);
  } finally {
    process.off("SIGINT", onInterrupt);
    stopShowing();
  }
}

function showProgress(find: () => Promise<Task | undefined>): () => void {
  let isOver = false;
  const show = async () => {
    const task = await find();
    if (task && !isOver) process.stderr.write(`\r${task.title}: ${Math.round((task.progress ?? 0) * 100)} %\u001b[K`);
  };
  const timer = setInterval(() => void show().catch(() => undefined), LOOK_EVERY_MS);
  return () => {
    isOver = true;
    clearInterval(timer);
    process.stderr.write("\r\u001b[K");
  };
}
