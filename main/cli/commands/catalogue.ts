// terrarium catalogue list | download | downloads | delete
import type { RegisterCommand } from "../command.ts";
import { bytes, table } from "../format.ts";
import { withProgress } from "../task-progress.ts";

export const registerCatalogue: RegisterCommand = (program, run) => {
  const catalogue = program
    .command("catalogue")
    .description("operating systems to download, checked by their checksums");

  catalogue
    .command("list")
    .description("show what there is")
    .action(
      run(async (session) => {
        const systems = await (await session.client()).catalogue.list();
        const rows = systems.flatMap(({ releases }) =>
          releases.map(({ id, name, sizeMiB, downloaded }) => [
            id,
            name,
            `about ${bytes(sizeMiB << 20)}`,
            downloaded === null ? "" : "downloaded",
          ]),
        );
        session.print(systems, table(rows));
      }),
    );

  catalogue
    .command("download <release>")
    .description("download one, or continue where a download stopped; prints the file")
    .option("--newest", "look for a newer version than the one that is there")
    .action(
      run(async (session, releaseId: string, options: { newest?: true }) => {
        const result = await withProgress(session, "Downloading ", (client) =>
          client.catalogue.download({ releaseId, newest: options.newest === true }),
        );
        session.print(result, result.file);
      }),
    );

  catalogue
    .command("downloads")
    .description("show what was downloaded")
    .action(
      run(async (session) => {
        const downloads = await (await session.client()).catalogue.downloads();
        const rows = downloads.map(({ name, sizeBytes, complete, usedBy }) => [
          name,
          bytes(sizeBytes),
          complete ? "" : "not whole",
          usedBy.join(", "),
        ]);
        session.print(downloads, table(rows));
      }),
    );

  catalogue
    .command("delete <name>")
    .description("delete a download")
    .action(
      run(async (session, name: string) => {
        const result = await (await session.client()).catalogue.deleteDownload({ name });
        session.print(result, `${bytes(result.freedBytes)} are free again.`);
      }),
    );
};
