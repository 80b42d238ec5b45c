// terrarium remove NAME [--permanently | --undo]
import type { RegisterCommand } from "../command.ts";

export const registerRemove: RegisterCommand = (program, run) => {
  program
    .command("remove <name>")
    .description("move a machine to the trash; `remove --undo ID` brings it back")
    .option("--permanently", "delete its files at once")
    .option("--undo", "bring back the removed machine with this id")
    .action(
      run(async (session, name: string, options: { permanently?: true; undo?: true }) => {
        const client = await session.client();
        if (options.undo) {
          const back = await client.machines.undoRemove({ id: name });
          session.print(back, `${back.name} (${back.id})`);
          return;
        }
        const { id } = await session.machine(name);
        await client.machines.remove({ id, permanently: options.permanently === true });
        session.print(
          { id },
          options.permanently ? "" : `In the trash. \`terrarium remove --undo ${id}\` brings it back.`,
        );
      }),
    );
};
