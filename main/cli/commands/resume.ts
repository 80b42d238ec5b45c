// terrarium resume NAME
import type { RegisterCommand } from "../command.ts";

export const registerResume: RegisterCommand = (program, run) => {
  program
    .command("resume <name>")
    .description("let a paused machine go on")
    .action(
      run(async (session, name: string) => {
        const { id } = await session.machine(name);
        await (await session.client()).machines.resume({ id });
        session.print({}, "");
      }),
    );
};
