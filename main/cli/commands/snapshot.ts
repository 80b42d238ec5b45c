// terrarium snapshot take | list | restore | delete | rename
import type { Snapshot, SnapshotTree } from "../../contract/schemas.ts";
import type { RegisterCommand } from "../command.ts";
import { bytes, table, time } from "../format.ts";

export const registerSnapshot: RegisterCommand = (program, run) => {
  const snapshot = program.command("snapshot").description("take, list, restore, delete and rename snapshots");

  snapshot
    .command("take <machine>")
    .description("take a snapshot; of a running machine with its memory")
    .option("--name <name>", "default: Snapshot 1, Snapshot 2, ...")
    .option("--description <text>", "notes")
    .action(
      run(async (session, machine: string, options: { name?: string; description?: string }) => {
        const { id } = await session.machine(machine);
        const taken = await (await session.client()).snapshots.take({ id, ...options });
        const pause = taken.pauseMs === null ? "" : `, the guest stood still for ${Math.round(taken.pauseMs)} ms`;
        session.print(taken, `${taken.name} (${taken.id}, ${bytes(taken.ownBytes)}${pause})`);
      }),
    );

  snapshot
    .command("list <machine>")
    .description("show the tree of snapshots")
    .action(
      run(async (session, machine: string) => {
        const { id } = await session.machine(machine);
        const tree = await (await session.client()).snapshots.tree({ id });
        session.print(tree, drawTree(tree));
      }),
    );

  snapshot
    .command("restore <machine> <snapshot>")
    .description("go back to a snapshot")
    .option("--keep-current", "take a snapshot of the present first")
    .option("--start", "start the machine afterwards")
    .option("--no-start", "do not start it, even if it was running")
    .action(
      run(async (session, machine: string, name: string, options: { keepCurrent?: true; start?: boolean }) => {
        const { id } = await session.machine(machine);
        const client = await session.client();
        const { id: snapshotId } = await session.snapshot(id, name);
        await client.snapshots.restore({
          snapshotId,
          keepCurrent: options.keepCurrent === true,
          ...(options.start !== undefined && { start: options.start }),
        });
        session.print(await client.machines.get({ id }), "");
      }),
    );

  snapshot
    .command("delete <machine> <snapshot>")
    .description("delete a snapshot; its children stay")
    .action(
      run(async (session, machine: string, name: string) => {
        const { id } = await session.machine(machine);
        const { id: snapshotId } = await session.snapshot(id, name);
        await (await session.client()).snapshots.delete({ snapshotId });
        session.print({}, "");
      }),
    );

  snapshot
    .command("rename <machine> <snapshot> <name>")
    .description("give a snapshot another name")
    .action(
      run(async (session, machine: string, from: string, name: string) => {
        const { id } = await session.machine(machine);
        const { id: snapshotId } = await session.snapshot(id, from);
        session.print(await (await session.client()).snapshots.update({ snapshotId, name }), "");
      }),
    );
};

function drawTree(tree: SnapshotTree): string {
  const rows: string[][] = [];
  const add = (parentId: string | null, depth: number) => {
    for (const snapshot of tree.snapshots.filter((each) => each.parentId === parentId)) {
      rows.push(rowOf(snapshot, depth, snapshot.id === tree.currentId));
      add(snapshot.id, depth + 1);
    }
  };
  add(null, 0);
  if (rows.length === 0) return "";
  return table([["ID", "TAKEN", "MEMORY", "SIZE", "NAME"], ...rows]);
}

function rowOf(snapshot: Snapshot, depth: number, isCurrent: boolean): string[] {
  const name = `${"  ".repeat(depth)}${snapshot.name}${isCurrent ? "  (current)" : ""}`;
  return [snapshot.id, time(snapshot.takenAtMs), snapshot.withMemory ? "yes" : "no", bytes(snapshot.ownBytes), name];
}
