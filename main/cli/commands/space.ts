// terrarium space NAME | reclaim NAME | resize NAME DISK SIZE
import type { RegisterCommand } from "../command.ts";
import { bytes, table } from "../format.ts";
import { parseMiB } from "../parse.ts";

export const registerSpace: RegisterCommand = (program, run) => {
  program
    .command("space <name>")
    .description("show what a machine takes up, and where")
    .action(
      run(async (session, name: string) => {
        const { id } = await session.machine(name);
        const space = await (await session.client()).machines.space({ id, deeply: true });
        session.print(
          space,
          table([
            ["disks as the guest sees them", bytes(space.guestBytes)],
            ["on this computer", bytes(space.hostBytes)],
            ["  present", bytes(space.presentBytes)],
            ["  snapshots", bytes(space.snapshotBytes)],
            ["  trash", bytes(space.trashBytes)],
            ["  logs and others", bytes(space.otherBytes)],
            ["shared with other machines", bytes(space.sharedBytes)],
            ["images elsewhere", bytes(space.elsewhereBytes)],
            ["memory that reclaim gives back", bytes(space.unusedMemoryBytes ?? 0)],
          ]),
        );
      }),
    );

  program
    .command("reclaim <name>")
    .description("give back the space that a machine does not need; its disks are compacted while it is off")
    .action(
      run(async (session, name: string) => {
        const { id } = await session.machine(name);
        const { freedBytes } = await (await session.client()).machines.reclaim({ id });
        session.print({ freedBytes }, `${bytes(freedBytes)} freed.`);
      }),
    );

  program
    .command("resize <name> <disk> <size>")
    .description(
      "make a disk of a machine that is off larger, or smaller where its end is free, such as `resize box disk0 8G`",
    )
    .action(
      run(async (session, name: string, diskId: string, size: string) => {
        const sizeMiB = parseMiB(size, "sizeMiB");
        const { id } = await session.machine(name);
        const machine = await (await session.client()).machines.resizeDisk({ id, diskId, sizeMiB });
        session.print(machine, "A larger disk is used when the guest enlarges its partition and file system.");
      }),
    );
};
