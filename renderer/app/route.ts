// Addresses inside the app. The desktop shell goes to places for links, opened files and its menus (main/desktop/requests.ts):
//
//   #/machines/<id>          selects a machine
//   #/machines/<id>/start    offers to start it
//   #/open/<path>            offers to use a file, whose path is percent-encoded
//   #/dialog/<name>          opens one of the dialogs of the whole app
//   #/machines/<id>/window   is no place but a window that shows nothing but that machine

const DIALOGS = ["new-machine", "import", "preferences", "about"] as const;

export type Place =
  | { readonly kind: "machine"; readonly machineId: string; readonly start: boolean }
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "dialog"; readonly dialog: (typeof DIALOGS)[number] };

/** The place that a location's hash names, or null. */
export function placeInRoute(hash: string): Place | null {
  const [, machineId, start] = /^#\/machines\/([0-9a-f]{12})(\/start)?$/.exec(hash) ?? [];
  if (machineId !== undefined) return { kind: "machine", machineId, start: start !== undefined };
  const dialog = DIALOGS.find((name) => hash === `#/dialog/${name}`);
  if (dialog) return { kind: "dialog", dialog };
  const file = /^#\/open\/(.+)$/.exec(hash)?.[1];
  return file === undefined ? null : fileIn(file);
}

function fileIn(encoded: string): Place | null {
  try {
    return { kind: "file", file: decodeURIComponent(encoded) };
  } catch {
    return null;
  }
}

/** The machine whose own window this is, or null for the main window. Never changes while the page lives. */
export function machineOfWindow(hash: string = window.location.hash): string | null {
  return /^#\/machines\/([0-9a-f]{12})\/window$/.exec(hash)?.[1] ?? null;
}
