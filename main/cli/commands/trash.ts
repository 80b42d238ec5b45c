// terrarium trash list | restore | delete | empty
import type { RegisterCommand } from "../command.ts";
import { bytes, table, time } from "../format.ts";

export const registerTrash: RegisterCommand = (program, run) => {
  const trash = program.command("trash").description("removed machines, deleted snapshots and disk images, left-overs");

  trash
    .command("list")
    .description("show what is in the trash")
    .action(
      run(async (session) => {
        const entries = await (await session.client()).trash.list();
        const rows = entries.map((entry) => [
          entry.name,
          entry.kind,
          time(entry.removedAtMs),
          bytes(entry.sizeBytes),
          entry.kind === "machine" || entry.machineName === null
            ? entry.label
            : `${entry.label} of ${entry.machineName}`,
        ]);
        session.print(entries, rows.length === 0 ? "" : table([["ENTRY", "KIND", "DELETED", "SIZE", "NAME"], ...rows]));
      }),
    );

  trash
    .command("restore <entry>")
    .description("bring a machine, snapshot or disk image back: its entry or name as `trash list` shows it")
    .action(
      run(async (session, reference: string) => {
        const { name, kind, label } = await session.trashEntry(reference);
        const machine = await (await session.client()).trash.restore({ name });
        session.print(machine, kind === "machine" ? `${machine.name} (${machine.id})` : `${label} of ${machine.name}`);
      }),
    );

  trash
    .command("delete <entry>")
    .description("delete one entry for good: its name or that of what it is, as `trash list` shows it")
    .action(
      run(async (session, reference: string) => {
        const { name } = await session.trashEntry(reference);
        const { freedBytes } = await (await session.client()).trash.delete({ name });
        session.print({ freedBytes }, `${bytes(freedBytes)} freed.`);
      }),
    );

  trash
    .command("empty")
    .description("delete everything in it for good")
    .action(
      run(async (session) => {
        const { freedBytes } = await (await session.client()).trash.empty();
        session.print({ freedBytes }, `${bytes(freedBytes)} freed.`);
      }),
    );
};
