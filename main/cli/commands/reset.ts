// terrarium reset NAME
import type { RegisterCommand } from "../command.ts";

export const registerReset: RegisterCommand = (program, run) => {
  program
    .command("reset <name>")
    .description("reset a machine, as its reset button would")
    .action(
      run(async (session, name: string) => {
        const { id } = await session.machine(name);
        await (await session.client()).machines.reset({ id });
        session.print({}, "");
      }),
    );
};
