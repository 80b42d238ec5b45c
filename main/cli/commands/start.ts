// terrarium start NAME [--headless]
import type { RegisterCommand } from "../command.ts";
import { entryAddress } from "../entry.ts";

export const registerStart: RegisterCommand = (program, run) => {
  program
    .command("start <name>")
    .description("start a machine, or continue a saved one")
    .option("--headless", "without printing the address of its window")
    .action(
      run(async (session, name: string, options: { headless?: true }) => {
        const { id } = await session.machine(name);
        const client = await session.client();
        const { safetySnapshotId } = await client.machines.start({ id });
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
