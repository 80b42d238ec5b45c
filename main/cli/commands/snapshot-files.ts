// terrarium snapshot diff | get: what is in a snapshot, compared or taken out
import { open, rm } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import type { SnapshotDiff } from "../../contract/schemas.ts";
import { withIoFailures } from "../../store/io-error.ts";
import type { RegisterCommand } from "../command.ts";
import { bytes, table } from "../format.ts";
import { parseCount } from "../parse.ts";

interface GetOptions {
  readonly output?: string;
  readonly disk?: string;
  readonly partition?: string;
}

/** Adds to the `snapshot` command. */
export function registerSnapshotFiles(snapshot: Command, run: Parameters<RegisterCommand>[1]): void {
  snapshot
    .command("diff <machine> <from> [to]")
    .description("settings and files that changed from one snapshot to another one, or to now")
    .action(
      run(async (session, machine: string, from: string, to?: string) => {
        const { id } = await session.machine(machine);
        const diff = await (await session.client()).snapshots.diff({
          snapshotId: (await session.snapshot(id, from)).id,
          toSnapshotId: to === undefined ? null : (await session.snapshot(id, to)).id,
        });
        session.print(diff, drawDiff(diff));
      }),
    );

  snapshot
    .command("get <machine> <snapshot> <path>")
    .description("take a file of the guest out of a snapshot")
    .option("--output <file>", "where to; default: its name in the current folder")
    .option("--disk <id>", "default: the first disk")
    .option("--partition <number>", "default: the first one that has the file")
    .action(
      run(async (session, machine: string, name: string, file: string, options: GetOptions) => {
        const { id } = await session.machine(machine);
        const client = await session.client();
        const place = {
          snapshotId: (await session.snapshot(id, name)).id,
          path: file,
          ...(options.disk !== undefined && { diskId: options.disk }),
          ...(options.partition !== undefined && { partition: parseCount(options.partition, "partition") }),
        };
        // Asked for before anything is made: a file that is not there leaves nothing behind.
        let piece = await client.snapshots.readFile(place);
        const target = path.resolve(options.output ?? path.posix.basename(file));
        const sizeBytes = await writeAll(target, async (write) => {
          for (;;) {
            await write(Buffer.from(piece.base64, "base64"));
            if (piece.nextOffset === null) return;
            piece = await client.snapshots.readFile({ ...place, offset: piece.nextOffset });
          }
        });
        session.print({ file: target, sizeBytes }, `${target} (${bytes(sizeBytes)})`);
      }),
    );
}

/** Never over a file that is there; nothing stays when it fails. */
async function writeAll(
  target: string,
  fill: (write: (data: Buffer) => Promise<void>) => Promise<void>,
): Promise<number> {
  const details = { field: "output", consequence: "Nothing was written." };
  const handle = await withIoFailures(target, details, () => open(target, "wx"));
  let sizeBytes = 0;
  try {
    await fill(async (data) => {
      await handle.writeFile(data);
      sizeBytes += data.length;
    });
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  return sizeBytes;
}

const SIGNS = { added: "+", changed: "~", removed: "-" } as const;

function drawDiff({ settings, disks }: SnapshotDiff): string {
  const lines = settings.map(
    ({ path: key, before, after }) => `${key}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`,
  );
  for (const { diskId, change, partitions } of disks) {
    if (change !== "same") lines.push(`${diskId}: ${change}`);
    for (const { number, fileSystem, label, changes, total, problem } of partitions) {
      const where = number === 0 ? "" : ` partition ${number}`;
      lines.push(`${diskId}${where} (${fileSystem}${label && `, ${label}`}): ${problem ?? `${total} changed`}`);
      const rows = changes.map((each) => [
        `  ${SIGNS[each.change]} ${each.path}`,
        sizes(each.sizeBefore, each.sizeAfter),
      ]);
      if (rows.length > 0) lines.push(table(rows));
      if (total > changes.length) lines.push(`  ... and ${total - changes.length} more`);
    }
  }
  return lines.join("\n");
}

function sizes(before: number | null, after: number | null): string {
  if (before === null || after === null) return bytes(before ?? after ?? 0);
  return before === after ? bytes(after) : `${bytes(before)} -> ${bytes(after)}`;
}
