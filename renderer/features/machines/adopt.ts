// A machine that was just made is selected at once, before its event arrives: its answer is put into the cache first.
import type { MachineDetails } from "../../../main/contract/schemas.ts";
import { withMachine } from "../../api/events.ts";
import { queryClient } from "../../api/index.ts";
import { keys } from "../../api/keys.ts";
import { selectMachine } from "../../app/navigation.ts";

export function adoptMachine(machine: MachineDetails): void {
  queryClient.setQueryData(keys.machine(machine.id), machine);
  queryClient.setQueryData(keys.machines, (list: Parameters<typeof withMachine>[0]) => withMachine(list, machine));
  selectMachine(machine.id);
}
