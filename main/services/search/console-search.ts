// Finds text in what all machines ever printed on their serial consoles, with the time it was printed and the snapshot to go back to.
// The logs are those of the VM processes (native-core/host/log-file.ts): one older file, the present one, and the times of their parts.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { ConsoleMatch } from "../../contract/search.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import { cancelled } from "../failures.ts";
import type { Machine } from "../machines/machine.ts";
import { visibleSnapshots } from "../snapshots/visible.ts";

const PORTS = [0, 1] as const;
/** Of one machine; the newest are told. */
const MATCHES_MAX = 100;
const LINE_MAX = 400;
/** What terminals take as commands (ECMA-48 5.4, and those of OSC), and other control characters. */
// oxlint-disable-next-line no-control-regex -- that is what it is for
const CONTROLS = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|[\x00-\x08\x0b-\x1f\x7f]/g;

export interface ConsoleQuery {
  readonly text: string;
  readonly isRegex: boolean;
  /** Undefined: all machines. */
  readonly machineId?: string | undefined;
}

/** Newest first; lines without a time come last. @throws AppError INVALID_ARGUMENT for what is no regular expression */
export async function searchConsoles(
  machines: readonly Machine[],
  query: ConsoleQuery,
  signal?: AbortSignal,
): Promise<ConsoleMatch[]> {
  const pattern = patternOf(query);
  const found: ConsoleMatch[] = [];
  for (const machine of machines) {
    if (query.machineId !== undefined && machine.id !== query.machineId) continue;
    if (signal?.aborted) throw cancelled("The search");
    found.push(...(await searchMachine(machine, pattern)));
  }
  return found.sort((a, b) => (b.atMs ?? 0) - (a.atMs ?? 0));
}

function patternOf({ text, isRegex }: ConsoleQuery): RegExp {
  if (!isRegex) return new RegExp(text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"), "i");
  try {
    return new RegExp(text, "i");
  } catch (error) {
    throw new AppError(
      "INVALID_ARGUMENT",
      `It is not a regular expression: ${text}`,
      { field: "text", remedy: "Escape special characters with a backslash." },
      { cause: error },
    );
  }
}

async function searchMachine(machine: Machine, pattern: RegExp): Promise<ConsoleMatch[]> {
  const { id, name, record, paths } = machine;
  const found: ConsoleMatch[] = [];
  for (const port of PORTS) {
    for (const suffix of ["", ".1"]) {
      const file = path.join(paths.logs, `ttyS${port}.log${suffix}`);
      const lines = await matchingLines(file, pattern, MATCHES_MAX - found.length);
      for (const { line, atMs } of lines) {
        const snapshot = atMs === null ? null : nearestSnapshot(visibleSnapshots(record), atMs);
        const near = snapshot && { id: snapshot.id, name: snapshot.name, takenAtMs: snapshot.takenAtMs };
        found.push({ machineId: id, machineName: name, port, line, atMs, snapshot: near });
      }
    }
  }
  return found;
}

/** From the end of the file, because the newest are wanted most. */
async function matchingLines(
  file: string,
  pattern: RegExp,
  limit: number,
): Promise<{ readonly line: string; readonly atMs: number | null }[]> {
  const bytes = limit > 0 ? await readFile(file).catch(() => null) : null;
  if (bytes === null) return [];
  const marks = parseMarks(await readFile(`${file}.times`, "utf8").catch(() => ""));
  const found: { line: string; atMs: number | null }[] = [];
  for (let end = bytes.length; end > 0 && found.length < limit; ) {
    const start = bytes.lastIndexOf(0x0a, end - 2) + 1;
    const line = bytes.toString("utf8", start, end).replaceAll(CONTROLS, "").trimEnd().slice(0, LINE_MAX);
    if (line !== "" && pattern.test(line)) found.push({ line, atMs: timeAt(marks, start) });
    end = start;
  }
  return found;
}

interface Mark {
  readonly atMs: number;
  readonly offset: number;
}

function parseMarks(text: string): Mark[] {
  return text.split("\n").flatMap((line) => {
    const [atMs, offset] = line.split(" ").map(Number);
    return atMs !== undefined && offset !== undefined && atMs > 0 ? [{ atMs, offset }] : [];
  });
}

/** The last mark at or before the offset: what was written from there on came no earlier. */
function timeAt(marks: readonly Mark[], offset: number): number | null {
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((marks[middle]?.offset ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return marks[low - 1]?.atMs ?? null;
}

/** The last one before that moment, from which it can be lived through again; else the first one after it. */
function nearestSnapshot(snapshots: readonly SnapshotRecord[], atMs: number): SnapshotRecord | null {
  const inOrder = snapshots.toSorted((a, b) => a.takenAtMs - b.takenAtMs);
  return inOrder.findLast((each) => each.takenAtMs <= atMs) ?? inOrder[0] ?? null;
}
