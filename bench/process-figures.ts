// What Linux says about processes under test (proc(5)): processor time and resident memory.
import { readFile } from "node:fs/promises";

const TICK_MS = 10;

/** Processor time of processes so far, all threads, in milliseconds. Those that have ended count as nothing. */
export async function cpuMs(pids: readonly number[]): Promise<number> {
  const ticks = await each(pids, "stat", (stat) => {
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((total, value) => total + value, 0) * TICK_MS;
}

/** Resident memory of the largest of the processes. */
export async function residentMiB(pids: readonly number[]): Promise<number> {
  const sizes = await each(pids, "status", (status) => Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  return Math.max(...sizes);
}

/** Memory of all of the processes together; what several of them share is counted once among them. */
export async function sharedMiB(pids: readonly number[]): Promise<number> {
  const sizes = await each(pids, "smaps_rollup", (text) => Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024);
  return sizes.reduce((total, size) => total + size, 0);
}

function each(pids: readonly number[], file: string, read: (text: string) => number): Promise<number[]> {
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/${file}`, "utf8").then(read, () => 0)));
}
