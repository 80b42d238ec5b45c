// Bookmarked lines of logs, kept while the window is open: marks of an investigation, not of a life.
import type { LogEntry } from "../../../main/contract/schemas.ts";
import { createStore, useStore } from "../../api/store.ts";

const NONE: ReadonlySet<string> = new Set();
const bookmarks = createStore<ReadonlyMap<string, ReadonlySet<string>>>(new Map());

/** Entries have no identity of their own; time and words together are enough. */
export const entryKey = ({ atMs, message }: LogEntry): string => `${atMs} ${message}`;

/** The keys of the marked entries of a machine's log, and how to mark or unmark one. */
export function useBookmarks(machineId: string): [ReadonlySet<string>, (entry: LogEntry) => void] {
  const marked = useStore(bookmarks, (all) => all.get(machineId) ?? NONE);
  const toggle = (entry: LogEntry) => {
    const next = new Set(marked);
    if (!next.delete(entryKey(entry))) next.add(entryKey(entry));
    bookmarks.set((all) => new Map(all).set(machineId, next));
  };
  return [marked, toggle];
}
