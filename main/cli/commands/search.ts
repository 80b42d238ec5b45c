// terrarium search TEXT: over the consoles of all machines.
import type { RegisterCommand } from "../command.ts";
import { table, time } from "../format.ts";

export const registerSearch: RegisterCommand = (program, run) => {
  program
    .command("search <text>")
    .description("find what machines printed on their consoles, and the snapshot before it")
    .option("--regex", "the text is a regular expression")
    .option("--machine <name>", "of one machine only")
    .action(
      run(async (session, text: string, options: { regex?: true; machine?: string }) => {
        const client = await session.client();
        const machineId = options.machine === undefined ? undefined : (await session.machine(options.machine)).id;
        const found = await client.machines.searchConsoles({
          text,
          isRegex: options.regex === true,
          ...(machineId !== undefined && { machineId }),
        });
        const rows = found.map(({ machineName, atMs, snapshot, line }) => [
          machineName,
          atMs === null ? "" : time(atMs),
          snapshot?.name ?? "",
          line,
        ]);
        session.print(found, table(rows));
      }),
    );
};
