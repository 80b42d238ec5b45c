// terrarium media attach | eject | give | convert | describe
import { randomUUID } from "node:crypto";
import { open, stat } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import { type HandedFile, stageFiles } from "../../contract/handed.ts";
import { ioFailure } from "../../store/io-error.ts";
import type { RegisterCommand } from "../command.ts";
import { bytes } from "../format.ts";
import { withProgress } from "../task-progress.ts";

const NOTHING_CHANGED = { consequence: "Nothing was changed." } as const;

export const registerMedia: RegisterCommand = (program, run) => {
  const media = program.command("media").description("discs in optical drives; also while a machine runs");

  media
    .command("attach <name> <iso>")
    .description("put an ISO image into a machine's drive")
    .option("--drive <id>", "which drive, such as cd1; default: the first")
    .option("--force", "take a disc out that the guest has locked")
    .action(
      run(async (session, name: string, iso: string, options: { drive?: string; force?: true }) => {
        const file = path.resolve(iso);
        const { id, name: known } = await session.machine(name);
        const client = await session.client();
        const { changed } = await client.media.changeDisc({
          id,
          file,
          ...drive(options),
          force: options.force === true,
        });
        if (!changed) throw locked(known);
        session.print({ changed }, `${path.basename(file)} is in the drive of ${known}.`);
      }),
    );

  media
    .command("eject <name>")
    .description("take the disc out of a machine's drive")
    .option("--drive <id>", "which drive, such as cd1; default: the first")
    .option("--force", "also when the guest has locked it")
    .action(
      run(async (session, name: string, options: { drive?: string; force?: true }) => {
        const { id, name: known } = await session.machine(name);
        const client = await session.client();
        const { changed } = await client.media.changeDisc({
          ...{ id, file: null, ...drive(options) },
          force: options.force === true,
        });
        if (!changed) throw locked(known);
        session.print({ changed }, `The drive of ${known} is empty.`);
      }),
    );

  media
    .command("give <name> <files...>")
    .description("give files to a guest: on a disc made of them, in a drive of its machine")
    .action(
      run(async (session, name: string, files: string[]) => {
        const { id, name: known } = await session.machine(name);
        const client = await session.client();
        const upload = randomUUID();
        const sources = await Promise.all(files.map((file) => sourceOf(path.resolve(file))));
        const toBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
        await stageFiles(client.media, { id, upload }, sources, toBase64, () => {});
        const handed = await client.media.handFiles({ id, upload });
        if (!handed.changed) throw locked(known);
        session.print(
          handed,
          `${files.length === 1 ? "The file is" : "The files are"} on a disc in ${handed.driveId} of ${known}.`,
        );
      }),
    );

  media
    .command("convert <image> <target>")
    .description("make a qcow2 image of a disk in qcow2, raw, VDI, VMDK, VHD or VHDX; Ctrl+C cancels")
    .action(
      run(async (session, image: string, target: string) => {
        const result = await withProgress(session, `Converting ${path.basename(image)}`, (client) =>
          client.media.convert({ source: path.resolve(image), target: path.resolve(target) }),
        );
        session.print(result, result.file);
      }),
    );

  media
    .command("describe <iso>")
    .description("show what an ISO image is, and what a machine for it would get")
    .action(
      run(async (session, iso: string) => {
        const facts = await (await session.client()).media.describe({ file: path.resolve(iso) });
        const boots = [facts.bootsBios && "BIOS", facts.bootsUefi && "UEFI"].filter(Boolean).join(" and ");
        session.print(
          facts,
          [
            `${facts.label || "no label"}, ${bytes(facts.sizeBytes)}${facts.isIso ? "" : ", not an ISO image"}`,
            boots ? `boots with ${boots}` : "does not boot",
            `suggested: "${facts.name}", ${facts.memoryMiB} MiB of memory, ${facts.diskMiB / 1024} GiB of disk`,
          ].join("\n"),
        );
      }),
    );
};

function drive({ drive: driveId }: { drive?: string }): { driveId?: string } {
  return driveId === undefined ? {} : { driveId };
}

async function sourceOf(file: string): Promise<HandedFile> {
  const failure = (error: unknown) => ioFailure(error, file, NOTHING_CHANGED);
  const found = await stat(file).catch((error: unknown) => Promise.reject(failure(error)));
  if (!found.isFile()) {
    throw new AppError("INVALID_FILE", `${file} is not a file`, {
      ...{ file, ...NOTHING_CHANGED },
      remedy: "Pack a folder into an archive first.",
    });
  }
  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  };
  return {
    ...{ name: path.basename(file), size: found.size },
    read: (start, end) => read(start, end).catch((error: unknown) => Promise.reject(failure(error))),
  };
}

function locked(name: string): AppError {
  return new AppError("IN_USE", `The guest of ${name} uses the disc`, {
    field: "drive",
    consequence: "It was asked to let the disc go; the disc is still in the drive.",
    remedy: "Unmount it in the guest and try again, or use --force.",
  });
}
