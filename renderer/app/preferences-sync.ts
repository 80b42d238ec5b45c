// Keeps the preferences of this window and those of the host in step. The host is asked first, because the browser's own storage ends
// with the port; what changes here is sent a moment later, and what others change arrives as an event.
import { client } from "../api/index.ts";
import { createStore } from "../api/store.ts";
import { OwnChanges } from "./own-changes.ts";
import { preferences } from "./preferences.ts";
import { changedPreferences, type Preferences, preferencesFrom, WINDOW_KEYS } from "./preferences-format.ts";
import { machineOfWindow } from "./route.ts";

const SEND_AFTER_MS = 200;

/** False until the host's preferences are known, so that nothing is drawn twice at the start. */
export const preferencesLoaded = createStore(false);

/** What the host has. */
let sent: Preferences = preferences.get();
const own = new OwnChanges();
let timer: ReturnType<typeof setTimeout> | undefined;

/** Where the main window was last is not for a machine's own window to say. */
function ownChanges(changes: Partial<Preferences>): Partial<Preferences> {
  if (machineOfWindow() === null) return changes;
  return Object.fromEntries(Object.entries(changes).filter(([key]) => !WINDOW_KEYS.has(key as keyof Preferences)));
}

function send(): void {
  clearTimeout(timer);
  timer = undefined;
  const now = preferences.get();
  const changes = ownChanges(changedPreferences(sent, now));
  if (Object.keys(changes).length === 0) return;
  const before = sent;
  sent = now;
  own.sent(changes);
  client.preferences.change({ changes }).catch(() => {
    // Sent again with the next change or connection.
    sent = before;
    own.forget();
  });
}

/** At each connection: the first time the host's choices are taken over, later ours are sent if they changed meanwhile. */
export async function loadPreferences(): Promise<void> {
  own.forget();
  if (preferencesLoaded.get()) return send();
  try {
    const stored = await client.preferences.get();
    sent = preferencesFrom(stored, preferences.get());
    preferences.set(sent);
  } finally {
    preferencesLoaded.set(true);
    preferences.subscribe(() => {
      timer ??= setTimeout(send, SEND_AFTER_MS);
    });
    window.addEventListener("pagehide", send);
  }
}

/** Some window chose something: another one, or this one a moment ago. */
export function applyPreferenceChanges(changes: Readonly<Record<string, unknown>>): void {
  const before = preferences.get();
  // What was chosen here and is not sent yet overwrites theirs soon.
  const unsent = changedPreferences(sent, before);
  const followed = Object.fromEntries(
    Object.entries(changes).filter(
      ([key, value]) => !own.isOld(key, value) && !WINDOW_KEYS.has(key as keyof Preferences) && !(key in unsent),
    ),
  );
  const after = preferencesFrom(followed, before);
  const changed = changedPreferences(before, after);
  // Our own change comes back equal in value, not in identity.
  const news = Object.entries(changed).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key as keyof Preferences]),
  );
  if (news.length === 0) return;
  sent = { ...sent, ...Object.fromEntries(news) };
  preferences.set({ ...before, ...Object.fromEntries(news) });
}
