// terrarium share: folders of this host that a machine's guest may mount, whatever it is doing
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import { nameForFolder, type SharedFolderConfig } from "../../../native-core/config/shared-folders.ts";
import { changeConfig } from "../../contract/change-config.ts";
import type { RegisterCommand } from "../command.ts";
import { table } from "../format.ts";
import type { Session } from "../session.ts";

type Folders = readonly SharedFolderConfig[];

/** `edit` is called again when somebody else changes the machine at the same time. */
async function changeFolders(session: Session, name: string, edit: (folders: Folders) => Folders): Promise<void> {
  const client = await session.client();
  const { id } = await session.machine(name);
  await changeConfig(client, id, (config) => ({ ...config, sharedFolders: [...edit(config.sharedFolders)] }));
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
        const whole = path.resolve(folder);
        let added: SharedFolderConfig | undefined;
        await changeFolders(session, machine, (folders) => {
          const name = options.name ?? nameForFolder(whole, folders);
          added = { name, path: whole, readOnly: options.readOnly === true };
          return [...folders, added];
        });
        session.print(added, added?.name ?? "");
      }),
    );
  share
    .command("remove <machine> <name>")
    .description("share a folder no longer; files that the guest has open in it fail from then on")
    .action(
      run(async (session, machine: string, name: string) => {
        await changeFolders(session, machine, (folders) => {
          const rest = folders.filter((folder) => folder.name !== name);
          if (rest.length < folders.length) return rest;
          throw new AppError("NOT_FOUND", `There is no shared folder ${name}`, {
            field: "name",
            consequence: "Nothing was changed.",
            remedy: "`share list` shows the names.",
          });
        });
        session.print({}, "");
      }),
    );
  share
    .command("list <machine>")
    .description("show the folders that a machine shares")
    .action(
      run(async (session, machine: string) => {
        const client = await session.client();
        const { config } = await client.machines.get({ id: (await session.machine(machine)).id });
        const folders = config.sharedFolders;
        const rows = folders.map(({ name, path: folder, readOnly }) => [name, readOnly ? "read-only" : "", folder]);
        session.print(folders, rows.length === 0 ? "" : table([["NAME", "ACCESS", "FOLDER"], ...rows]));
      }),
    );
};
