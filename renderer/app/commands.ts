// Every command of the app, once: its name, its shortcut and what it does. The palette lists them, the hot keys look them up, menus take
// their shortcuts from here. What acts on something inside a pane comes from there (pane-commands.ts).
import type { MachineSummary } from "../../main/contract/schemas.ts";
import { queryClient } from "../api/index.ts";
import { keys } from "../api/keys.ts";
import { openMachineWindow } from "../features/machine-window/open-window.ts";
import { groupMachines } from "../features/machines/arrange.ts";
import { isAllowed, MACHINE_COMMANDS, primaryCommand } from "../features/machines/rules.ts";
import { runCommand, startOrShow } from "../features/machines/run-command.ts";
import { MACHINE_SHORTCUTS } from "../features/machines/shortcuts.ts";
import { createStarter } from "../features/new-machine/use-starter.ts";
import { i18n } from "../i18n/index.ts";
import { focusRequests } from "./focus.ts";
import {
  type DialogRequest,
  listSelection,
  openDialog,
  PANES,
  selectedMachineId,
  showPane,
  showTool,
  TOOLS,
} from "./navigation.ts";
import { paneCommands } from "./pane-commands.ts";
import { preferences, setPreference } from "./preferences.ts";
import { THEMES } from "./preferences-format.ts";

export interface AppCommand {
  readonly id: string;
  readonly label: string;
  /** The machine it is about, or what kind of thing it is. */
  readonly context: string;
  readonly shortcut?: string | undefined;
  run(): void;
}

/** Keys that only the list handles, because elsewhere they belong to what has the focus. */
const LIST_ONLY: ReadonlySet<string> = new Set(["Delete"]);

export const knownMachines = (): MachineSummary[] => queryClient.getQueryData<MachineSummary[]>(keys.machines) ?? [];

export function selectedMachine(): MachineSummary | undefined {
  const id = selectedMachineId();
  return knownMachines().find((machine) => machine.id === id);
}

function machineCommands(machine: MachineSummary): AppCommand[] {
  const { name, state } = machine;
  const primary = primaryCommand(state);
  const commands = MACHINE_COMMANDS.filter((command) => isAllowed(command, state) && command !== primary);
  return [
    {
      id: primary,
      label: i18n.t(`command.${primary}`),
      context: name,
      shortcut: "Ctrl+Enter",
      run: () => startOrShow(machine),
    },
    ...commands.map((command) => ({
      id: command,
      label: i18n.t(`command.${command}`),
      context: name,
      shortcut: MACHINE_SHORTCUTS[command],
      run: () => void runCommand(command, machine),
    })),
    { id: "window", label: i18n.t("command.window"), context: name, run: () => openMachineWindow(machine.id) },
    ...PANES.map((pane, index) => ({
      id: `pane-${pane}`,
      label: i18n.t(`pane.${pane}`),
      context: name,
      shortcut: `Ctrl+${index + 1}`,
      run: () => showPane(pane),
    })),
    {
      id: "group",
      label: i18n.t("command.group"),
      context: name,
      shortcut: "Ctrl+G",
      run: () => void groupMachines(listSelection().ids, machine.group),
    },
  ];
}

function appCommands(): AppCommand[] {
  const context = i18n.t("app.name");
  const dialog = (id: string, label: string, request: DialogRequest, shortcut?: string): AppCommand => ({
    id,
    label,
    context,
    shortcut,
    run: () => openDialog(request),
  });
  const { screenReader, listThumbnails } = preferences.get();
  return [
    dialog("new", i18n.t("create.title"), { kind: "new-machine" }, "Ctrl+N"),
    { id: "starter", label: i18n.t("welcome.starter"), context, run: () => void createStarter() },
    { id: "search", label: i18n.t("command.search"), context, shortcut: "Ctrl+F", run: () => focusRequests.search() },
    dialog("palette", i18n.t("command.palette"), { kind: "palette" }, "Ctrl+K"),
    ...TOOLS.map((tool) => ({
      id: `tool-${tool}`,
      label: i18n.t(`tool.${tool}`),
      context: i18n.t("app.tools"),
      run: () => showTool(tool),
    })),
    dialog("preferences", i18n.t("preferences.title"), { kind: "preferences" }, "Ctrl+;"),
    dialog("import", i18n.t("command.import"), { kind: "import" }),
    dialog("trash", i18n.t("command.trash"), { kind: "trash" }),
    ...THEMES.map((theme) => ({
      id: `theme-${theme}`,
      label: `${i18n.t("command.theme.label")}: ${i18n.t(`command.theme.${theme}`)}`,
      context,
      run: () => setPreference("theme", theme),
    })),
    {
      id: "screen-reader",
      label: i18n.t("command.screenReader"),
      context,
      run: () => setPreference("screenReader", !screenReader),
    },
    {
      id: "thumbnails",
      label: i18n.t("preferences.listThumbnails"),
      context,
      run: () => setPreference("listThumbnails", !listThumbnails),
    },
    dialog("about", i18n.t("command.about"), { kind: "about" }),
  ];
}

/** The selected machine's commands first. */
function ownCommands(): AppCommand[] {
  const machine = selectedMachine();
  return [...(machine ? machineCommands(machine) : []), ...appCommands()];
}

/** What can be done now. */
export const allCommands = (): AppCommand[] => [...paneCommands(), ...ownCommands()];

/** Panes look after their keys themselves: theirs go together with the Host key or the focus. */
export const hotKeyCommands = (): AppCommand[] =>
  ownCommands().filter(({ shortcut }) => shortcut !== undefined && !LIST_ONLY.has(shortcut));
