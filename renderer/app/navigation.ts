// Where the user is: the selected machine, the pane beside the list, and the dialog that is open.
import { createStore, useStore } from "../api/store.ts";
import { preferences, setPreference, usePreference } from "./preferences.ts";

export const PANES = ["details", "display", "console", "snapshots", "logs"] as const;
export type Pane = (typeof PANES)[number];

export type DialogRequest =
  | { readonly kind: "new-machine" }
  | { readonly kind: "settings"; readonly machineId: string; readonly field?: string }
  | { readonly kind: "clone"; readonly machineId: string; readonly snapshotId: string | null }
  | { readonly kind: "trash" }
  | { readonly kind: "about" }
  | { readonly kind: "palette" };

const dialog = createStore<DialogRequest | null>(null);
const renaming = createStore<string | null>(null);

export const openDialog = (request: DialogRequest): void => dialog.set(request);
export const closeDialog = (): void => dialog.set(null);
export const currentDialog = (): DialogRequest | null => dialog.get();
export const useDialog = (): DialogRequest | null => useStore(dialog);

export function selectMachine(id: string | null): void {
  setPreference("selectedMachine", id);
}

export const selectedMachineId = (): string | null => preferences.get().selectedMachine;
export const useSelectedMachineId = (): string | null => usePreference("selectedMachine");

export function showPane(pane: Pane): void {
  setPreference("pane", pane);
}

export function usePane(): Pane {
  const pane = usePreference("pane");
  return PANES.find((known) => known === pane) ?? "details";
}

/** The machine whose name is being edited in the list. */
export const startRenaming = (id: string): void => renaming.set(id);
export const endRenaming = (): void => renaming.set(null);
export const useRenaming = (): string | null => useStore(renaming);
