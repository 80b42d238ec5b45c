// A data folder with very many machines and snapshots, for tests and benchmarks of what shows them. Nothing in it can be started.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { testRecord, testSnapshot } from "./records.ts";

const GROUPS = ["", "Work", "Work/Servers", "Work/Desktops", "Home", "Tests/Nightly"];
const idOf = (kind: string, number: number): string => kind + number.toString(16).padStart(11, "0");

/** Name of the machine that has all the snapshots. */
export const BIG_MACHINE = "Machine 0000";

export async function fillStore(home: string, machines: number, snapshots: number): Promise<void> {
  for (let number = 0; number < machines; number++) {
    const id = idOf("a", number);
    const name = `Machine ${String(number).padStart(4, "0")}`;
    const base = testRecord(id);
    const own = number === 0 ? snapshots : 0;
    const record = testRecord(id, {
      createdAtMs: 1_700_000_000_000 + number,
      config: { ...base.config, name, group: number === 0 ? "" : (GROUPS[number % GROUPS.length] ?? "") },
      currentSnapshotId: own > 0 ? idOf("b", own - 1) : null,
      snapshots: Array.from({ length: own }, (_, index) =>
        testSnapshot(idOf("b", index), {
          name: `Snapshot ${index}`,
          // Every tenth begins a side branch.
          parentId: index === 0 ? null : idOf("b", index % 10 === 0 ? Math.max(0, index - 10) : index - 1),
          takenAtMs: 1_700_000_000_000 + index * 60_000,
        }),
      ),
    });
    const folder = path.join(home, "machines", id);
    for (const inner of ["disks", "snapshots", "saved-state", "logs"])
      await mkdir(path.join(folder, inner), { recursive: true });
    await writeFile(path.join(folder, "machine.json"), JSON.stringify(record));
  }
}
