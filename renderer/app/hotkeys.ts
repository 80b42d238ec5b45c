// Keys of the main window. They never take a key away from the guest: display and console mark their area with
// `data-captures-keyboard`, and text fields keep what belongs to editing.
import { useEffect } from "react";
import type { MachineSummary } from "../../main/contract/schemas.ts";
import { queryClient } from "../api/index.ts";
import { keys } from "../api/keys.ts";
import { focusRequests } from "./focus.ts";
import { currentDialog, openDialog, PANES, selectedMachineId, showPane, startRenaming } from "./navigation.ts";

function selectedMachine(): MachineSummary | undefined {
  const id = selectedMachineId();
  return queryClient.getQueryData<MachineSummary[]>(keys.machines)?.find((machine) => machine.id === id);
}

/** Handles the key and says whether it did. */
function handle(event: KeyboardEvent): boolean {
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  const machine = selectedMachine();
  if (command && !event.shiftKey && !event.altKey) {
    const pane = PANES[Number(key) - 1];
    if (key === "n") openDialog({ kind: "new-machine" });
    else if (key === "f") focusRequests.search();
    else if (key === "k") openDialog({ kind: "palette" });
    else if (key === "," && machine) openDialog({ kind: "settings", machineId: machine.id });
    else if (pane && machine) showPane(pane);
    else return false;
    return true;
  }
  // Outside the list, which has F2 of its own for whatever is selected there.
  if (event.key === "F2" && machine && document.activeElement === document.body) {
    startRenaming(machine.id);
    return true;
  }
  return false;
}

export function useHotkeys(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || currentDialog()) return;
      if (event.target instanceof Element && event.target.closest("[data-captures-keyboard]")) return;
      if (handle(event)) event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}
