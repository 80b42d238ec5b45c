// terrarium log NAME
import type { RegisterCommand } from "../command.ts";
import { time } from "../format.ts";
import { parseCount } from "../parse.ts";

export const registerLog: RegisterCommand = (program, run) => {
  program
    .command("log <name>")
    .description("show what happened to a machine")
    .option("--lines <n>", "how many entries", "100")
    .action(
      run(async (session, name: string, options: { lines: string }) => {
        const { id } = await session.machine(name);
        const entries = await (await session.client()).machines.log({ id, limit: parseCount(options.lines, "lines") });
        const text = entries
          .map((entry) => `${time(entry.atMs)}  ${entry.level.padEnd(5)}  ${entry.message}`)
          .join("\n");
        session.print(entries, text);
      }),
    );
};
