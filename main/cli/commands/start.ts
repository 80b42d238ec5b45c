// terrarium start NAME [--headless] [--boot-menu]
import type { RegisterCommand } from "../command.ts";
import { entryAddress } from "../entry.ts";

export const registerStart: RegisterCommand = (program, run) => {
  program
    .command("start <name>")
    .description("start a machine, or continue a saved one")
    .option("--headless", "without printing the address of its window")
    .option("--boot-menu", "let firmware wait ten seconds for Esc, which opens its boot menu")
    .action(
      run(async (session, name: string, options: { headless?: true; bootMenu?: true }) => {
        const { id } = await session.machine(name);
        const client = await session.client();
        const { safetySnapshotId } = await client.machines.start({ id, bootMenu: options.bootMenu === true });
        const machine = await client.machines.get({ id });
        const url = options.headless ? null : await entryAddress(await session.control());
        const text = [
          ...(safetySnapshotId === null
            ? []
            : [`It boots from another disc; snapshot ${safetySnapshotId} has what was before.`]),
          ...(url === null ? [] : [`Running. Open it once at ${url}`]),
        ];
        session.print({ ...machine, url, safetySnapshotId }, text.join("\n"));
      }),
    );
};
