// terrarium clone NAME NEW [--snapshot SNAPSHOT]
import type { RegisterCommand } from "../command.ts";

export const registerClone: RegisterCommand = (program, run) => {
  program
    .command("clone <name> <new>")
    .description("make a full copy of a machine or of one of its snapshots")
    .option("--snapshot <snapshot>", "the snapshot to copy instead of the present")
    .action(
      run(async (session, name: string, newName: string, options: { snapshot?: string }) => {
        const { id } = await session.machine(name);
        const snapshotId = options.snapshot === undefined ? null : (await session.snapshot(id, options.snapshot)).id;
        const machine = await (await session.client()).machines.clone({ id, name: newName, snapshotId });
        session.print(machine, `${machine.name} (${machine.id})`);
      }),
    );
};
