// terrarium pause NAME
import type { RegisterCommand } from "../command.ts";

export const registerPause: RegisterCommand = (program, run) => {
  program
    .command("pause <name>")
    .description("let a running machine stand still")
    .action(
      run(async (session, name: string) => {
        const { id } = await session.machine(name);
        await (await session.client()).machines.pause({ id });
        session.print({}, "");
      }),
    );
};
