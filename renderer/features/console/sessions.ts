// Consoles outlive the pane that shows them: output goes on arriving while other panes are looked at. Least recently shown ones
// beyond a handful are closed; the host replays their scroll-back when they are opened again.
interface Session {
  dispose(): void;
}

const KEPT = 8;
const sessions = new Map<string, Session>();

/** The session of this key, made if need be; it becomes the most recently used one. */
export function openSession<T extends Session>(key: string, make: () => T): T {
  const session = (sessions.get(key) as T | undefined) ?? make();
  sessions.delete(key);
  sessions.set(key, session);
  for (const [oldKey, old] of sessions) {
    if (sessions.size <= KEPT) break;
    sessions.delete(oldKey);
    old.dispose();
  }
  return session;
}

/** Keys start with the machine's id. */
export function dropConsole(machineId: string): void {
  for (const [key, session] of sessions) {
    if (!key.startsWith(`${machineId}/`)) continue;
    sessions.delete(key);
    session.dispose();
  }
}
