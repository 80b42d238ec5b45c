// What Linux says about processes under test (proc(5)): processor time and resident memory.
import { open, readdir, readFile } from "node:fs/promises";

const TICK_MS = 10;
const PAGE_BYTES = 4096;

/** Processor time of processes so far, all threads, in milliseconds. Those that have ended count as nothing. */
export async function cpuMs(pids: readonly number[]): Promise<number> {
  const ticks = await each(pids, "stat", (stat) => {
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((total, value) => total + value, 0) * TICK_MS;
}

/** Resident memory of the largest of the processes: all of it, or pages of files, which are those of programs and shared by all that run them. */
export async function residentMiB(pids: readonly number[], field: "VmRSS" | "RssFile" = "VmRSS"): Promise<number> {
  const size = new RegExp(`${field}:\\s+(\\d+)`);
  const sizes = await each(pids, "status", (status) => Number(size.exec(status)?.[1] ?? 0) / 1024);
  return Math.max(...sizes);
}

/**
 * Memory that the largest of the processes has beside the pages of guest memory that are in use. `guestAt` tells where in a mapping of so many
 * bytes guest memory begins. NaN where no mapping holds it.
 */
export async function overheadMiB(
  pids: readonly number[],
  guestBytes: number,
  guestAt: (mappingBytes: number) => number | undefined,
): Promise<number> {
  let most = Number.NaN;
  for (const pid of pids) {
    for (const [start, end] of await mappings(pid)) {
      const offset = guestAt(end - start);
      if (offset === undefined) continue;
      const used = await presentBytes(pid, start + offset, guestBytes);
      const resident = (await residentMiB([pid])) * 2 ** 20;
      const overhead = (resident - used) / 2 ** 20;
      if (!(overhead <= most)) most = overhead;
    }
  }
  return most;
}

/** A thread since its start: processor time, and how often it has begun to wait. */
export interface ThreadFigures {
  readonly pid: number;
  readonly name: string;
  readonly cpuMs: number;
  readonly waits: number;
}

/** All threads of processes, by a key that no other thread has. To the nanosecond, where `cpuMs` counts ticks. */
export async function threads(pids: readonly number[]): Promise<ReadonlyMap<string, ThreadFigures>> {
  const found = new Map<string, ThreadFigures>();
  for (const pid of pids) {
    for (const thread of await readdir(`/proc/${pid}/task`).catch(() => [])) {
      const read = (file: string) => readFile(`/proc/${pid}/task/${thread}/${file}`, "utf8").catch(() => "");
      const [status, schedstat] = await Promise.all([read("status"), read("schedstat")]);
      found.set(`${pid}/${thread}`, {
        pid,
        name: /^Name:\s+(.*)/m.exec(status)?.[1] ?? "?",
        cpuMs: Number.parseInt(schedstat, 10) / 1e6,
        waits: Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0),
      });
    }
  }
  return found;
}

/** The process that holds a machine: the largest one. */
export async function largestOf(pids: readonly number[]): Promise<number> {
  const sizes = await Promise.all(pids.map(async (pid) => ({ pid, size: await residentMiB([pid]) })));
  return sizes.reduce((largest, one) => (one.size > largest.size ? one : largest)).pid;
}

async function mappings(pid: number): Promise<[start: number, end: number][]> {
  const text = await readFile(`/proc/${pid}/maps`, "utf8").catch(() => "");
  return [...text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)].map(([, start = "0", end = "0"]) => [
    Number.parseInt(start, 16),
    Number.parseInt(end, 16),
  ]);
}

/** Bytes of an address range that have memory of the host: bit 63 of each entry of pagemap(5). */
async function presentBytes(pid: number, start: number, bytes: number): Promise<number> {
  const entries = Buffer.alloc((bytes / PAGE_BYTES) * 8);
  const file = await open(`/proc/${pid}/pagemap`, "r");
  try {
    await file.read(entries, 0, entries.length, (start / PAGE_BYTES) * 8);
  } finally {
    await file.close();
  }
  let present = 0;
  for (let at = 7; at < entries.length; at += 8) if ((entries[at] ?? 0) & 0x80) present++;
  return present * PAGE_BYTES;
}

/** Memory of all of the processes together; what several of them share is counted once among them. */
export async function sharedMiB(pids: readonly number[]): Promise<number> {
  const sizes = await each(pids, "smaps_rollup", (text) => Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024);
  return sizes.reduce((total, size) => total + size, 0);
}

function each(pids: readonly number[], file: string, read: (text: string) => number): Promise<number[]> {
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/${file}`, "utf8").then(read, () => 0)));
}
