// terrarium trash list | delete | empty
import type { RegisterCommand } from "../command.ts";
import { bytes, table, time } from "../format.ts";

export const registerTrash: RegisterCommand = (program, run) => {
  const trash = program.command("trash").description("removed machines and left-overs");

  trash
    .command("list")
    .description("show what is in the trash; `remove --undo NAME` brings a machine back")
    .action(
      run(async (session) => {
        const entries = await (await session.client()).trash.list();
        const rows = entries.map((entry) => [
          entry.machineId ?? "",
          time(entry.removedAtMs),
          bytes(entry.sizeBytes),
          entry.machineName ?? entry.name,
        ]);
        session.print(entries, rows.length === 0 ? "" : table([["ID", "REMOVED", "SIZE", "NAME"], ...rows]));
      }),
    );

  trash
    .command("delete <entry>")
    .description("delete one machine or left-over in it for good: a name or id as `trash list` shows it")
    .action(
      run(async (session, reference: string) => {
        const client = await session.client();
        const entries = await client.trash.list();
        const found =
          entries.find((entry) => entry.name === reference || entry.machineId === reference) ??
          entries.find((entry) => entry.machineName === reference);
        const { freedBytes } = await client.trash.delete({ name: found?.name ?? reference });
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
