// terrarium snapshot take | list | restore | delete | rename | describe | pin | prune | diff | get
import { Option } from "commander";
import type { Snapshot, SnapshotTree } from "../../contract/schemas.ts";
import type { RegisterCommand } from "../command.ts";
import { bytes, table, time } from "../format.ts";
import { registerSnapshotFiles } from "./snapshot-files.ts";

interface RestoreOptions {
  readonly keepCurrent?: true;
  readonly start?: boolean;
  readonly memory?: "if-safe" | "always" | "never";
}

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
    .option("--search <text>", "only those whose name or notes have this text")
    .action(
      run(async (session, machine: string, { search }: { search?: string }) => {
        const { id } = await session.machine(machine);
        const tree = await (await session.client()).snapshots.tree({ id });
        if (search === undefined) return session.print(tree, drawTree(tree));
        const found = tree.snapshots.filter((each) => isFound(each, search));
        session.print({ ...tree, snapshots: found }, drawList(found, tree.currentId));
      }),
    );

  snapshot
    .command("restore <machine> <snapshot>")
    .description("go back to a snapshot")
    .option("--keep-current", "take a snapshot of the present first")
    .option("--start", "start the machine afterwards")
    .option("--no-start", "do not start it, even if it was running")
    .addOption(
      new Option(
        "--memory <when>",
        "whether to go on with its memory though independent disks have changed since",
      ).choices(["if-safe", "always", "never"]),
    )
    .action(
      run(async (session, machine: string, name: string, options: RestoreOptions) => {
        const { id } = await session.machine(machine);
        const client = await session.client();
        const { id: snapshotId } = await session.snapshot(id, name);
        await client.snapshots.restore({
          snapshotId,
          keepCurrent: options.keepCurrent === true,
          ...(options.start !== undefined && { start: options.start }),
          ...(options.memory !== undefined && { memory: options.memory }),
        });
        session.print(await client.machines.get({ id }), "");
      }),
    );

  snapshot
    .command("delete <machine> <snapshot>")
    .description("delete a snapshot; its children stay. It can be undone for a while (setting snapshots.undoHours)")
    .option("--dry-run", "only say what it would free")
    .option("--permanently", "free its space at once")
    .action(
      run(async (session, machine: string, name: string, options: { dryRun?: true; permanently?: true }) => {
        const { id } = await session.machine(machine);
        const client = await session.client();
        const { id: snapshotId } = await session.snapshot(id, name);
        const preview = await client.snapshots.previewDelete({ snapshotId });
        const permanently = options.permanently === true;
        const { undo } = options.dryRun ? { undo: null } : await client.snapshots.delete({ snapshotId, permanently });
        const merges = preview.copiedBytes > 0 ? ` after ${bytes(preview.copiedBytes)} were merged` : "";
        const frees = `${bytes(preview.freedBytes)}${merges}`;
        const text = undo
          ? `Frees ${frees}, from ${time(undo.untilMs)} on. Until then \`terrarium trash restore ${undo.name}\` brings it back.`
          : `${options.dryRun ? "Would free" : "Frees"} ${frees}.`;
        session.print({ ...preview, undo }, text);
      }),
    );

  snapshot
    .command("undelete <machine> <snapshot>")
    .description("bring a deleted snapshot back to its place: a name or id as `trash list` shows it")
    .action(
      run(async (session, machine: string, reference: string) => {
        const { id } = await session.machine(machine);
        const { name } = await session.trashEntry(
          reference,
          (entry) => entry.kind === "snapshot" && entry.machineId === id,
        );
        await (await session.client()).trash.restore({ name });
        session.print(await session.snapshot(id, name.slice("snapshot-".length)), "");
      }),
    );

  snapshot
    .command("drop-memory <machine> <snapshot>")
    .description("give up the memory of a snapshot and keep its disks: it restores as after a power failure then")
    .action(
      run(async (session, machine: string, name: string) => {
        const { id } = await session.machine(machine);
        const { id: snapshotId } = await session.snapshot(id, name);
        const dropped = await (await session.client()).snapshots.dropMemory({ snapshotId });
        session.print(dropped, `"${dropped.name}" has its disks only now.`);
      }),
    );

  snapshot
    .command("prune <machine>")
    .description("delete the snapshots that the machine's rules don't keep (settings snapshots.keepLast, ...)")
    .option("--dry-run", "only list them")
    .action(
      run(async (session, machine: string, options: { dryRun?: true }) => {
        const { id } = await session.machine(machine);
        const gone = await (await session.client()).snapshots.prune({ id, dryRun: options.dryRun === true });
        session.print(gone, drawList(gone, null));
      }),
    );

  registerSnapshotFiles(snapshot, run);

  const change = (name: string, description: string, patch: { pinned: boolean }) =>
    snapshot
      .command(`${name} <machine> <snapshot>`)
      .description(description)
      .action(
        run(async (session, machine: string, of: string) => {
          const { id } = await session.machine(machine);
          const { id: snapshotId } = await session.snapshot(id, of);
          session.print(await (await session.client()).snapshots.update({ snapshotId, ...patch }), "");
        }),
      );
  change("pin", "keep a snapshot whatever the rules say", { pinned: true });
  change("unpin", "let the rules decide about a snapshot again", { pinned: false });

  snapshot
    .command("describe <machine> <snapshot> <text>")
    .description("replace the notes of a snapshot")
    .action(
      run(async (session, machine: string, of: string, description: string) => {
        const { id } = await session.machine(machine);
        const { id: snapshotId } = await session.snapshot(id, of);
        session.print(await (await session.client()).snapshots.update({ snapshotId, description }), "");
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

const HEAD = ["ID", "TAKEN", "MEMORY", "SIZE", "NAME"];

function isFound({ name, description }: Snapshot, text: string): boolean {
  return `${name}\n${description}`.toLowerCase().includes(text.toLowerCase());
}

function drawList(snapshots: readonly Snapshot[], currentId: string | null): string {
  const rows = snapshots.map((snapshot) => rowOf(snapshot, 0, snapshot.id === currentId));
  return rows.length === 0 ? "" : table([HEAD, ...rows]);
}

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
  return table([HEAD, ...rows]);
}

function rowOf(snapshot: Snapshot, depth: number, isCurrent: boolean): string[] {
  const name = `${"  ".repeat(depth)}${snapshot.name}${isCurrent ? "  (current)" : ""}${snapshot.pinned ? "  (pinned)" : ""}`;
  return [snapshot.id, time(snapshot.takenAtMs), snapshot.withMemory ? "yes" : "no", bytes(snapshot.ownBytes), name];
}
