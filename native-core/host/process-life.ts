// Tells a process from a later one with the same id, by when it started (Linux; elsewhere the id alone has to do).
import { readFileSync } from "node:fs";

/** Whether the process of this id that started then still is. */
export function isAlive(pid: number, started: string): boolean {
  const actual = startTime(pid);
  if (actual !== undefined) return actual === started;
  if (process.platform === "linux") return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** When a process started, in clock ticks since boot; undefined when there is no such process or no such file system. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // Fields after the command name, which may hold spaces and brackets: 3rd is the state, 22nd the start time.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie holds nothing any more.
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
