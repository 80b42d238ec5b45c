// Addresses inside the app: `#/machines/<id>` selects a machine. The desktop shell opens windows with it (terrarium:// links).
import { selectMachine } from "./navigation.ts";

/** The machine that a location's hash names, or null. */
export function machineInRoute(hash: string): string | null {
  return /^#\/machines\/([0-9a-f]{12})$/.exec(hash)?.[1] ?? null;
}

function follow(): void {
  const id = machineInRoute(window.location.hash);
  if (id) selectMachine(id);
}

export function followRoute(): void {
  follow();
  window.addEventListener("hashchange", follow);
}
