// Finds an installed browser that can show the app as a window of its own (Chromium family: --app=URL).
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = [
  "chromium",
  "chromium-browser",
  "google-chrome",
  "google-chrome-stable",
  "microsoft-edge",
  "brave-browser",
];
const FIXED = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
];

export function findBrowser(): string | undefined {
  const onPath = (process.env["PATH"] ?? "")
    .split(delimiter)
    .flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...onPath, ...FIXED].find((candidate) => existsSync(candidate));
}

/** Whether windows can be shown at all. */
export function hasDisplay(): boolean {
  if (process.platform !== "linux") return true;
  return Boolean(process.env["DISPLAY"] || process.env["WAYLAND_DISPLAY"]);
}

/** Arguments for an app-mode window with a profile of its own, so that it is no tab of the user's browser. */
export function appWindowArguments(url: string, profileFolder: string): string[] {
  return [
    `--app=${url}`,
    `--user-data-dir=${profileFolder}`,
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--window-size=1280,860",
    // Chromium refuses to run as root with its sandbox, which happens on throw-away machines only.
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  ];
}
