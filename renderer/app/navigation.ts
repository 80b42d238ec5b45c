// Where the user is: the selected machine, the pane beside the list or the global tool, and the dialog that is open.
import { createStore, useStore } from "../api/store.ts";
import type { NewMachineForm } from "../features/new-machine/schema.ts";
import { preferences, setPreference, usePreference } from "./preferences.ts";

export const PANES = ["details", "display", "console", "snapshots", "files", "activity", "logs"] as const;
export type Pane = (typeof PANES)[number];

/** Tools that belong to the whole app. Each has a component in tools.tsx and its name in the texts (`tool.NAME`). */
export const TOOLS = ["home", "activity", "consoles", "media", "network"] as const;
export type Tool = (typeof TOOLS)[number];

export type DialogRequest =
  | { readonly kind: "new-machine"; readonly start?: Partial<NewMachineForm> }
  | { readonly kind: "settings"; readonly machineId: string; readonly field?: string }
  | { readonly kind: "clone"; readonly machineId: string; readonly snapshotId: string | null }
  | { readonly kind: "encryption"; readonly machineId: string; readonly start?: boolean }
  | { readonly kind: "export"; readonly machineId: string }
  | { readonly kind: "verify"; readonly machineId: string }
  | { readonly kind: "import"; readonly file?: string }
  | { readonly kind: "convert" }
  | { readonly kind: "hand-files"; readonly machineId: string; readonly files: readonly File[] }
  | { readonly kind: "start-asked"; readonly machineId: string }
  | { readonly kind: "grow"; readonly machineId: string; readonly diskId: string }
  | { readonly kind: "close"; readonly machineId: string }
  | { readonly kind: "preferences" }
  | { readonly kind: "trash" }
  | { readonly kind: "about" }
  | { readonly kind: "palette" };

const dialog = createStore<DialogRequest | null>(null);
const renaming = createStore<string | null>(null);

export const openDialog = (request: DialogRequest): void => dialog.set(request);
export const closeDialog = (): void => dialog.set(null);
export const currentDialog = (): DialogRequest | null => dialog.get();
export const useDialog = (): DialogRequest | null => useStore(dialog);

/** More than one machine, or none, may be selected in the list; the first of them is the one whose panes are shown. */
interface ListSelection {
  readonly ids: readonly string[];
  /** Key of the row that the keyboard is on: a machine's id, or a group's key. */
  readonly active: string | null;
  /** Where a range with Shift begins. */
  readonly anchor: string | null;
}

const selection = createStore<ListSelection>({ ids: [], active: null, anchor: null });

export const listSelection = (): ListSelection => selection.get();
export const useListSelection = (): ListSelection => useStore(selection);

export function selectMachine(id: string | null): void {
  selection.set({ ids: id === null ? [] : [id], active: id, anchor: id });
  setPreference("selectedMachine", id);
  if (id !== null) setPreference("place", "machines");
}

/** Several machines, or the machines of a group with the group's row active. */
export function selectMachines(ids: readonly string[], active: string, anchor: string = active): void {
  selection.set({ ids, active, anchor });
  const first = ids.includes(active) ? active : ids[0];
  if (first !== undefined) setPreference("selectedMachine", first);
  setPreference("place", "machines");
}

export const selectedMachineId = (): string | null => preferences.get().selectedMachine;
export const useSelectedMachineId = (): string | null => usePreference("selectedMachine");

export function showPane(pane: Pane): void {
  setPreference("pane", pane);
  setPreference("place", "machines");
}

/** The snapshot that the snapshots pane is to show next, wherever the user comes from. */
const wantedSnapshot = createStore<string | null>(null);

export function showSnapshot(machineId: string, snapshotId: string): void {
  selectMachine(machineId);
  wantedSnapshot.set(snapshotId);
  showPane("snapshots");
}

/** Yields it once. */
export function takeWantedSnapshot(): string | null {
  const wanted = wantedSnapshot.get();
  wantedSnapshot.set(null);
  return wanted;
}

export function usePane(): Pane {
  const pane = usePreference("pane");
  return PANES.find((known) => known === pane) ?? "details";
}

export const showTool = (tool: Tool): void => setPreference("place", tool);

/** The tool that is shown instead of a machine, or null. */
export function useTool(): Tool | null {
  const place = usePreference("place");
  return TOOLS.find((known) => known === place) ?? null;
}

/** The machine (by id) or group (by key) whose name is being edited in the list. */
export const startRenaming = (key: string): void => renaming.set(key);
export const endRenaming = (): void => renaming.set(null);
export const useRenaming = (): string | null => useStore(renaming);
