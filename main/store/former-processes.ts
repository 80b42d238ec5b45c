// VM processes of a host that was killed: they notice, flush their disks and end by themselves, but that takes a moment in which they may
// still finish a layer or a state. Reconciliation waits for them, or it would judge by files that are about to change.
// They are found by the locks they hold on images (native-core/host/file-lock.ts).
import { readdir } from "node:fs/promises";
import path from "node:path";
import { isAlive } from "../../native-core/host/process-life.ts";
import type { DataFolder } from "./data-folder.ts";

const POLL_MS = 20;
/** A process that hangs longer than this is not waited for: its locks keep its machine from starting, nothing else. */
const WAIT_MAX_MS = 15_000;

/** Settles when no process writes to an image of the data folder any more; false when one still does. */
export async function formerProcessesEnded(data: DataFolder, waitMaxMs = WAIT_MAX_MS): Promise<boolean> {
  const deadline = Date.now() + waitMaxMs;
  while ((await writers(data)).some(({ pid, startTime }) => pid !== process.pid && isAlive(pid, startTime))) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}

interface Writer {
  readonly pid: number;
  /** Clock ticks after boot; tells a process from a later one with the same id. */
  readonly startTime: string;
}

async function writers(data: DataFolder): Promise<Writer[]> {
  const found: Writer[] = [];
  for (const machine of await readdir(data.machines)) {
    for (const name of await readdir(path.join(data.machines, machine, "disks")).catch(() => [])) {
      const match = /\.lock-w-(\d+)-(\d+)-\d+$/.exec(name);
      if (match?.[1] && match[2]) found.push({ pid: Number(match[1]), startTime: match[2] });
    }
  }
  return found;
}
