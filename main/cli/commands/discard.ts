// terrarium discard NAME
import type { RegisterCommand } from "../command.ts";

export const registerDiscard: RegisterCommand = (program, run) => {
  program
    .command("discard <name>")
    .description("throw a saved state away; the machine is powered off then")
    .action(
      run(async (session, name: string) => {
        const { id } = await session.machine(name);
        await (await session.client()).machines.discardSavedState({ id });
        session.print({}, "");
      }),
    );
};
