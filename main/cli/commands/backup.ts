// terrarium backup create | list | restore | delete | verify; terrarium export | import
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import type { RegisterCommand } from "../command.ts";
import { bytes, table, time } from "../format.ts";

export const registerBackup: RegisterCommand = (program, run) => {
  const backup = program.command("backup").description("keep machines in another folder, and bring them back");

  backup
    .command("create <machine> <folder>")
    .description("back a machine up, also while it runs; only what is new is written")
    .option("--memory", "with the memory of a running or saved machine")
    .action(
      run(async (session, name: string, folder: string, options: { memory?: true }) => {
        const { id } = await session.machine(name);
        const request = { id, folder: path.resolve(folder), memory: options.memory === true };
        const made = await (await session.client()).backups.create(request);
        session.print(made, `${made.id}: ${bytes(made.sizeBytes)}, ${bytes(made.writtenBytes)} written`);
      }),
    );

  backup
    .command("list <folder>")
    .description("show the backups in a folder, newest first")
    .action(
      run(async (session, folder: string) => {
        const found = await (await session.client()).backups.list({ folder: path.resolve(folder) });
        const rows = found.map((each) => [
          each.id,
          time(each.takenAtMs),
          each.kind,
          each.withMemory ? "yes" : "no",
          bytes(each.sizeBytes),
          each.machineName,
        ]);
        session.print(
          found,
          rows.length === 0 ? "" : table([["ID", "TAKEN", "KIND", "MEMORY", "SIZE", "MACHINE"], ...rows]),
        );
      }),
    );

  backup
    .command("restore <folder> <backup> [name]")
    .description("make a new machine of a backup: its id, or a machine's name for the newest one of it")
    .action(
      run(async (session, folder: string, reference: string, name?: string) => {
        const client = await session.client();
        const where = path.resolve(folder);
        const found = (await client.backups.list({ folder: where })).find(
          (each) => each.id === reference || each.machineName === reference,
        );
        const backupId = found?.id ?? (/^[0-9a-f]{12}$/.test(reference) ? reference : "000000000000");
        const machine = await client.backups.restore({ folder: where, backupId, ...(name !== undefined && { name }) });
        session.print(machine, `${machine.name} (${machine.id})`);
      }),
    );

  backup
    .command("delete <folder> <backup>")
    .description("delete a backup by its id; pieces that others have stay, and so do those of the last 48 hours")
    .action(
      run(async (session, folder: string, backupId: string) => {
        const request = { folder: path.resolve(folder), backupId };
        const { freedBytes } = await (await session.client()).backups.delete(request);
        session.print({ freedBytes }, `${bytes(freedBytes)} freed`);
      }),
    );

  backup
    .command("verify <folder>")
    .description("read and check everything in a backup folder")
    .action(
      run(async (session, folder: string) => {
        const found = await (await session.client()).backups.verify({ folder: path.resolve(folder) });
        session.print(found, `${found.backups} backups of ${found.pieces} pieces are whole.`);
        requireNone(found.problems);
      }),
    );
};

export const registerExport: RegisterCommand = (program, run) => {
  program
    .command("export <name> <file>")
    .description("write a machine with its disks into one file: box.terrarium, or box.ova for other products")
    .option("--memory", "with the memory of a running or saved machine")
    .action(
      run(async (session, name: string, file: string, options: { memory?: true }) => {
        const { id } = await session.machine(name);
        const target = path.resolve(file);
        const { sizeBytes } = await (await session.client()).machines.export({
          id,
          file: target,
          memory: options.memory === true,
        });
        session.print({ file: target, sizeBytes }, `${target} (${bytes(sizeBytes)})`);
      }),
    );

  program
    .command("import <file> [name]")
    .description("make a machine of an exported file (.terrarium, .ova, .ovf), or of a folder of VirtualBox or VMware")
    .action(
      run(async (session, file: string, name?: string) => {
        const request = { file: path.resolve(file), ...(name !== undefined && { name }) };
        const machine = await (await session.client()).machines.import(request);
        session.print(machine, `${machine.name} (${machine.id})`);
      }),
    );
};

/** Damage is a failure for scripts, too. */
function requireNone(problems: readonly { readonly file: string; readonly message: string }[]): void {
  const [first] = problems;
  if (!first) return;
  const others = problems.slice(1).map((problem) => problem.message);
  throw new AppError("CORRUPT_STORE", [first.message, ...others].join("; "), {
    file: first.file,
    consequence: "What is named can't be restored.",
    remedy: "Use another backup or snapshot, and make a new backup soon.",
  });
}
