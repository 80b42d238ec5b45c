// What the menu bar and the tray offer, as data. Commands on machines live in the page, which also knows the host key; the menu bar has
// what every desktop app has, the tray what is wanted while there is no window.
import type { MenuItemConstructorOptions } from "electron";
import type { MachineSummary } from "../contract/schemas.ts";
import { countText, fill, type Texts } from "./texts.ts";

/** `go` opens a place of the page, such as `dialog/about`. */
export function menuBar(texts: Texts, isMac: boolean, go: (route: string) => void): MenuItemConstructorOptions[] {
  // The page knows these keys itself; here they are only shown.
  const place = (label: string, dialog: string, accelerator?: string): MenuItemConstructorOptions => ({
    label,
    click: () => go(`dialog/${dialog}`),
    ...(accelerator !== undefined && { accelerator, registerAccelerator: false }),
  });
  const about = place(texts.about, "about");
  const preferences = place(texts.preferences, "preferences", "CommandOrControl+;");
  const line = { type: "separator" } as const;
  const ofMac: MenuItemConstructorOptions = {
    role: "appMenu",
    submenu: [
      ...[about, line, preferences, line],
      ...[{ role: "services" as const }, line, { role: "hide" as const }, { role: "hideOthers" as const }],
      ...[{ role: "unhide" as const }, line, { role: "quit" as const }],
    ],
  };
  return [
    ...(isMac ? [ofMac] : []),
    {
      label: texts.file,
      submenu: [
        place(texts.newMachine, "new-machine", "CommandOrControl+N"),
        place(texts.import, "import"),
        line,
        ...(isMac ? [{ role: "close" as const }] : [preferences, line, { role: "quit" as const, label: texts.quit }]),
      ],
    },
    { role: "editMenu" },
    {
      role: "viewMenu",
      submenu: [{ role: "togglefullscreen" }, { role: "zoomIn" }, { role: "zoomOut" }, { role: "resetZoom" }],
    },
    { role: "windowMenu" },
    ...(isMac ? [] : [{ label: texts.help, submenu: [about] }]),
  ];
}

export type TrayCommand = "pause" | "resume" | "save" | "acpi";

export interface TrayActions {
  /** Shows the app, at a place of it if one is given. */
  show(route: string | null): void;
  run(command: TrayCommand, machineId: string): void;
  quit(): void;
}

/** Machines that do something now are on the way elsewhere, and take no commands. */
function commandsOf(
  { id, state }: MachineSummary,
  texts: Texts,
  run: TrayActions["run"],
): MenuItemConstructorOptions[] {
  const enabled = state === "running" || state === "paused";
  const isPaused = state === "paused";
  return [
    { label: isPaused ? texts.resume : texts.pause, enabled, click: () => run(isPaused ? "resume" : "pause", id) },
    { label: texts.save, enabled, click: () => run("save", id) },
    { label: texts.shutDown, enabled: state === "running", click: () => run("acpi", id) },
  ];
}

/** An ampersand would underline the letter behind it. */
const plain = (label: string): string => label.replaceAll("&", "&&");

/** `running` are the machines that have a VM process. */
export function trayMenu(
  running: readonly MachineSummary[],
  texts: Texts,
  { show, run, quit }: TrayActions,
): MenuItemConstructorOptions[] {
  return [
    { label: texts.show, click: () => show(null) },
    { type: "separator" },
    { label: countText(texts, running.length), enabled: false },
    ...running.map((machine): MenuItemConstructorOptions => {
      const { id, name, state } = machine;
      return {
        label: plain(state === "paused" ? fill(texts.paused, { name }) : name),
        submenu: [
          { label: texts.showMachine, click: () => show(`machines/${id}`) },
          { type: "separator" },
          ...commandsOf(machine, texts, run),
        ],
      };
    }),
    { type: "separator" },
    { label: texts.quit, click: quit },
  ];
}
