// What other programs ask of the app, as places in the app (renderer/app/follow-route.ts): links `terrarium://...` and files that a file
// manager opens. Both come from anywhere, so nothing else is understood, and what would act is only asked about by the page.
import path from "node:path";

/** Files that are opened with the app; those that the packages announce (electron-builder.yml) are among them. */
const OPENED = /\.(terrarium|ova|ovf|vbox|vmx|iso|qcow2|vdi|vmdk|vhdx?)$/i;

/**
 * `terrarium://machine/<id>` shows a machine, `terrarium://machine/<id>/start` offers to start it. Null when it is no link of ours.
 */
export function routeOfLink(link: string): string | null {
  const match = /^terrarium:\/\/machine\/([0-9a-f]{12})(\/start)?\/?$/.exec(link);
  return match ? `machines/${match[1]}${match[2] ?? ""}` : null;
}

/** `file` is absolute. Null for files that are nothing to us. */
export function routeOfFile(file: string): string | null {
  return OPENED.test(file) ? `open/${encodeURIComponent(file)}` : null;
}

/** What a start of the program with these arguments, in this folder, asks for: the first link or file that we understand. */
export function routeIn(argv: readonly string[], folder: string): string | null {
  for (const argument of argv) {
    if (argument.startsWith("-")) continue;
    const isLink = argument.startsWith("terrarium:");
    const route = isLink ? routeOfLink(argument) : routeOfFile(path.resolve(folder, argument));
    if (route !== null) return route;
  }
  return null;
}
