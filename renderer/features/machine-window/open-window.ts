// Opens a machine in a window of its own. In a browser that is a popup of the same page; the desktop shell makes a window of it.
export function openMachineWindow(machineId: string): void {
  window.open(`#/machines/${machineId}/window`, `terrarium-${machineId}`, "popup,width=1024,height=768");
}
