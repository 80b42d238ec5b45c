// One host per data folder. The lock is an exclusive transaction on a small SQLite file: the operating system releases it when the
// process ends, however it ends, and two hosts that start in the same instant can't both get it. A pid file can do neither.
import { readFileSync } from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import { AppError } from "../../native-core/common/errors.ts";
import type { DataFolder } from "./data-folder.ts";

export interface HostLock {
  release(): void;
}

/** @throws AppError HOST_RUNNING when another host has the data folder open. */
export function acquireHostLock(data: DataFolder): HostLock {
  const file = path.join(data.run, "host.lock");
  const database = new Database(file, { timeout: 0 });
  try {
    database.pragma("journal_mode = DELETE");
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_BUSY")) {
      throw hostRunning(data);
    }
    throw new AppError(
      "IO_ERROR",
      `The lock of the data folder can't be taken: ${file}`,
      {
        file,
        consequence: "Terrarium does not start.",
        remedy: "Check that the folder is writable and on a local disk.",
      },
      { cause: error },
    );
  }
  return { release: () => database.close() };
}

function hostRunning(data: DataFolder): AppError {
  const pid = pidFromControlFile(path.join(data.run, "host.json"));
  return new AppError(
    "HOST_RUNNING",
    `Terrarium already runs on ${data.root}${pid === null ? "" : ` (process ${pid})`}`,
    {
      file: data.root,
      field: "home",
      consequence: "A second one would damage the machines, so it does not start.",
      remedy: "Use the one that runs, end it with `terrarium host stop`, or choose another folder with --home.",
    },
  );
}

function pidFromControlFile(file: string): number | null {
  try {
    const content: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof content === "object" && content !== null && "pid" in content && typeof content.pid === "number") {
      return content.pid;
    }
  } catch {
    // Only for the message: without a readable control file it goes without the pid.
  }
  return null;
}
