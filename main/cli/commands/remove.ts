// terrarium remove NAME [--permanently | --undo]
import type { RegisterCommand } from "../command.ts";

export const registerRemove: RegisterCommand = (program, run) => {
  program
    .command("remove <name>")
    .description("move a machine to the trash; `remove --undo NAME` brings it back")
    .option("--permanently", "delete its files at once")
    .option("--undo", "bring back the removed machine with this name or id")
    .action(
      run(async (session, name: string, options: { permanently?: true; undo?: true }) => {
        const client = await session.client();
        if (options.undo) {
          const back = await client.machines.undoRemove({ id: await session.trashed(name) });
          session.print(back, `${back.name} (${back.id})`);
          return;
        }
        const { id, name: removed } = await session.machine(name);
        await client.machines.remove({ id, permanently: options.permanently === true });
        session.print(
          { id },
          options.permanently ? "" : `In the trash. \`terrarium remove --undo ${quoted(removed)}\` brings it back.`,
        );
      }),
    );
};

/** As it has to be typed in a shell. */
function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}
