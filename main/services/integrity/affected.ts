// What damage of a file takes away: which snapshots stand on it, and whether the machine's present does.
import path from "node:path";
import type { MachineProblem } from "../../contract/schemas.ts";
import type { Machine } from "../machines/machine.ts";
import { backingLinks } from "../snapshots/layers.ts";

type Affected = Pick<MachineProblem, "snapshots" | "present">;

/** `file`: absolute, a disk layer. */
export async function standingOnLayer(machine: Machine, file: string): Promise<Affected> {
  const links = await backingLinks(machine);
  const standsOn = (top: string) => {
    let at: string | undefined = path.resolve(machine.paths.folder, top);
    // A chain can't be longer than there are links.
    for (let depth = 0; at !== undefined && at !== file && depth <= links.size; depth++) at = links.get(at);
    return at === file;
  };
  const { config, snapshots } = machine.record;
  return {
    snapshots: snapshots.filter(({ layers }) => layers.some((layer) => standsOn(layer.file))).map(named),
    present: config.disks.some((disk) => standsOn(disk.file)),
  };
}

/** `state`: absolute, the folder of a memory state. */
export function goingOnFrom({ record, paths }: Machine, state: string): Affected {
  const isIt = (memory: string | null) => memory !== null && path.join(paths.folder, memory) === state;
  return {
    snapshots: record.snapshots.filter(({ memory }) => isIt(memory)).map(named),
    present: isIt(record.savedState),
  };
}

function named({ id, name }: { readonly id: string; readonly name: string }): { id: string; name: string } {
  return { id, name };
}
