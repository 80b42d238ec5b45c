// terrarium list
import type { RegisterCommand } from "../command.ts";
import { table } from "../format.ts";

export const registerList: RegisterCommand = (program, run) => {
  program
    .command("list")
    .description("list the machines")
    .action(
      run(async (session) => {
        const machines = await (await session.client()).machines.list();
        const rows = machines.map((machine) => [
          machine.id,
          machine.state,
          machine.currentSnapshotName ?? "",
          machine.name,
        ]);
        session.print(machines, rows.length === 0 ? "" : table([["ID", "STATE", "SNAPSHOT", "NAME"], ...rows]));
      }),
    );
};
