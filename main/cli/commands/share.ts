// terrarium share: folders of this host that a machine's guest may mount, whatever it is doing
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import { nameForFolder, type SharedFolderConfig } from "../../../native-core/config/shared-folders.ts";
import type { RegisterCommand } from "../command.ts";
import { table } from "../format.ts";
import type { Session } from "../session.ts";

type Folders = readonly SharedFolderConfig[];

async function foldersOf(session: Session, name: string) {
  const client = await session.client();
  const { id } = await session.machine(name);
  const { config } = await client.machines.get({ id });
  const change = (sharedFolders: Folders) =>
    client.machines.configure({ id, config: { ...config, sharedFolders: [...sharedFolders] } });
  return { folders: config.sharedFolders, change };
}

export const registerShare: RegisterCommand = (program, run) => {
  const share = program.command("share").description("folders of this host that a machine's guest may mount");
  share
    .command("add <machine> <folder>")
    .description("share a folder with the guest, also while it runs")
    .option("--name <name>", "what the guest finds it as; default: the folder's own name")
    .option("--read-only", "the guest may not change anything in it")
    .action(
      run(async (session, machine: string, folder: string, options: { name?: string; readOnly?: true }) => {
        const { folders, change } = await foldersOf(session, machine);
        const whole = path.resolve(folder);
        const name = options.name ?? nameForFolder(whole, folders);
        const added = { name, path: whole, readOnly: options.readOnly === true };
        await change([...folders, added]);
        session.print(added, name);
      }),
    );
  share
    .command("remove <machine> <name>")
    .description("share a folder no longer; files that the guest has open in it fail from then on")
    .action(
      run(async (session, machine: string, name: string) => {
        const { folders, change } = await foldersOf(session, machine);
        const rest = folders.filter((folder) => folder.name !== name);
        if (rest.length === folders.length) {
          throw new AppError("NOT_FOUND", `There is no shared folder ${name}`, {
            field: "name",
            consequence: "Nothing was changed.",
            remedy: "`share list` shows the names.",
          });
        }
        await change(rest);
        session.print({}, "");
      }),
    );
  share
    .command("list <machine>")
    .description("show the folders that a machine shares")
    .action(
      run(async (session, machine: string) => {
        const { folders } = await foldersOf(session, machine);
        const rows = folders.map(({ name, path: folder, readOnly }) => [name, readOnly ? "read-only" : "", folder]);
        session.print(folders, rows.length === 0 ? "" : table([["NAME", "ACCESS", "FOLDER"], ...rows]));
      }),
    );
};
