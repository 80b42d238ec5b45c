// What happened to one machine, one JSON line per entry in logs/machine.log, with one older file kept.
import { appendFile, mkdir, open, rename, stat } from "node:fs/promises";
import path from "node:path";
import { type LogEntry, logEntrySchema } from "../../contract/schemas.ts";
import { Mutex } from "../mutex.ts";

const ROTATE_AT_BYTES = 1 << 20;
const MESSAGE_MAX = 4000;

export class MachineLog {
  readonly #folder: string;
  readonly #file: string;
  readonly #writes = new Mutex();

  constructor(folder: string) {
    this.#folder = folder;
    this.#file = path.join(folder, "machine.log");
  }

  /** Settles when written; a log that can't be written never stops the machine. */
  write(level: LogEntry["level"], message: string): Promise<void> {
    const entry: LogEntry = { atMs: Date.now(), level, message: message.slice(0, MESSAGE_MAX) };
    return this.#writes.run(async () => {
      try {
        await mkdir(this.#folder, { recursive: true });
        await this.#rotate();
        await appendFile(this.#file, `${JSON.stringify(entry)}\n`);
      } catch {
        // A full disk or a removed folder: the entry is lost, the machine goes on.
      }
    });
  }

  /** Settles when everything written so far is in the file. */
  flush(): Promise<void> {
    return this.#writes.run(async () => undefined);
  }

  /** The newest `limit` entries, oldest first. */
  async read(limit: number): Promise<LogEntry[]> {
    await this.flush();
    const newest = await readEntries(this.#file);
    if (newest.length >= limit) return newest.slice(-limit);
    const older = await readEntries(`${this.#file}.1`);
    return [...older, ...newest].slice(-limit);
  }

  async #rotate(): Promise<void> {
    const size = await stat(this.#file).then(
      (found) => found.size,
      () => 0,
    );
    if (size >= ROTATE_AT_BYTES) await rename(this.#file, `${this.#file}.1`);
  }
}

async function readEntries(file: string): Promise<LogEntry[]> {
  let text: string;
  try {
    const handle = await open(file, "r");
    try {
      text = await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line) => {
    if (line === "") return [];
    try {
      const entry = logEntrySchema.safeParse(JSON.parse(line));
      return entry.success ? [entry.data] : [];
    } catch {
      // A line torn by a crash.
      return [];
    }
  });
}
