// Addresses inside the app: `#/machines/<id>` selects a machine (the desktop shell opens windows with it for terrarium:// links),
// `#/machines/<id>/window` is a window that shows nothing but that machine.
import { selectMachine } from "./navigation.ts";

/** The machine that a location's hash names, or null. */
export function machineInRoute(hash: string): string | null {
  return /^#\/machines\/([0-9a-f]{12})$/.exec(hash)?.[1] ?? null;
}

/** The machine whose own window this is, or null for the main window. Never changes while the page lives. */
export function machineOfWindow(hash: string = window.location.hash): string | null {
  return /^#\/machines\/([0-9a-f]{12})\/window$/.exec(hash)?.[1] ?? null;
}

function follow(): void {
  const id = machineInRoute(window.location.hash);
  if (id) selectMachine(id);
}

export function followRoute(): void {
  follow();
  window.addEventListener("hashchange", follow);
}
