// Exports a machine for other products: OVF with stream-optimized VMDK disks, as a folder's files or as one OVA archive. What a running
// machine has at this moment is exported, without its memory.
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { deflate } from "node:zlib";
import { AppError } from "../../../native-core/common/errors.ts";
import type { MachineConfig } from "../../../native-core/config/machine-config.ts";
import { writeStreamVmdk } from "../../../native-core/media/foreign/vmdk-writer.ts";
import { moveToNewName, syncFolder } from "../../store/atomic-file.ts";
import { withIoFailures } from "../../store/io-error.ts";
import { inScratch } from "../../store/scratch.ts";
import { USTAR_BLOCK, ustarContentBytes, ustarHeader } from "../../store/ustar.ts";
import { requireClear } from "../backup/backup.ts";
import type { ServiceContext } from "../context.ts";
import { cancelled } from "../failures.ts";
import type { Machine } from "../machines/machine.ts";
import { withTops } from "../snapshots/layers.ts";
import { atThisMoment } from "../snapshots/moment.ts";
import type { TaskHandle } from "../tasks.ts";
import { type OvfDisk, ovfDescriptor } from "./ovf-writer.ts";

const compress = promisify(deflate);
const COPY_BYTES = 1 << 20;

export const isApplianceTarget = (file: string): boolean => /\.(?:ova|ovf)$/i.test(file);

/** Yields the bytes written. @throws AppError UNSUPPORTED, ALREADY_EXISTS, NO_SPACE, ...; nothing is left behind then */
export async function exportAppliance(context: ServiceContext, machine: Machine, file: string): Promise<number> {
  requireDescribable(machine.record.config);
  requireClear(machine, "an exported machine");
  const options = { title: `Exporting ${machine.name}`, machineId: machine.id, cancellable: true };
  return context.tasks.run(options, (task) =>
    inScratch(path.dirname(file), async (scratch) => {
      const base = path.basename(file).replace(/\.(?:ova|ovf)$/i, "");
      const parts = await withIoFailures(file, { field: "file", consequence: "Nothing was exported." }, () =>
        writeParts(context, machine, scratch, base, task),
      );
      return /\.ova$/i.test(file) ? packInto(file, scratch, parts) : putBeside(file, scratch, parts);
    }),
  );
}

/** A kernel that is started directly lies on this host; no other product could start the machine. */
function requireDescribable(config: MachineConfig): void {
  if (config.boot.kernel === null) return;
  throw new AppError("UNSUPPORTED", `"${config.name}" starts a kernel of this host directly, which OVF cannot say`, {
    ...{ field: "file", consequence: "Nothing was exported." },
    remedy: "Export it as a .terrarium file, or make it boot from its disk first.",
  });
}

interface Part {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Descriptor, disks, manifest, in the order in which an archive has them (DSP0243, 5). */
async function writeParts(
  context: ServiceContext,
  machine: Machine,
  scratch: string,
  base: string,
  task: TaskHandle,
): Promise<Part[]> {
  return atThisMoment(context, machine, { purpose: "Export", memory: false }, async (snapshot) => {
    const disks = withTops(snapshot.config.disks, snapshot.layers).filter(({ bus }) => bus !== "nvram");
    const described: OvfDisk[] = [];
    const written: Part[] = [];
    for (const [index, disk] of disks.entries()) {
      const name = `${base}-disk${index + 1}.vmdk`;
      const image = await context.images.open(path.resolve(machine.paths.folder, disk.file), disk.format);
      try {
        const part = await writePart(scratch, name, (write) =>
          writeStreamVmdk(image, {
            ...{ name, write, deflate: (bytes) => compress(bytes) },
            onProgress: (share) => {
              if (task.signal.aborted) throw cancelled("The export");
              task.progress((index + share) / disks.length);
            },
          }),
        );
        written.push(part);
        described.push({ file: name, fileBytes: part.sizeBytes, sizeBytes: image.sizeBytes });
      } finally {
        await image.close();
      }
    }
    const text = (name: string, content: string) => writePart(scratch, name, (write) => write(Buffer.from(content)));
    const descriptor = await text(`${base}.ovf`, ovfDescriptor(snapshot.config, described));
    const sums = [descriptor, ...written].map(({ name, sha256 }) => `SHA256(${name})= ${sha256}\n`);
    return [descriptor, ...written, await text(`${base}.mf`, sums.join(""))];
  });
}

async function writePart(
  folder: string,
  name: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<Part> {
  const hash: Hash = createHash("sha256");
  const handle = await open(path.join(folder, name), "wx");
  let sizeBytes = 0;
  try {
    await fill(async (bytes) => {
      await handle.writeFile(bytes);
      hash.update(bytes);
      sizeBytes += bytes.length;
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { name, sizeBytes, sha256: hash.digest("hex") };
}

/** One archive; complete or absent. Yields its size. */
async function packInto(file: string, scratch: string, parts: readonly Part[]): Promise<number> {
  const whole = path.join(scratch, path.basename(file));
  const archive = await open(whole, "wx");
  try {
    for (const part of parts) await appendPart(archive, scratch, part);
    await archive.writeFile(new Uint8Array(2 * USTAR_BLOCK));
    await archive.sync();
  } finally {
    await archive.close();
  }
  const { size } = await stat(whole);
  await putInto(path.dirname(file), scratch, [path.basename(file)]);
  return size;
}

async function appendPart(archive: FileHandle, scratch: string, part: Part): Promise<void> {
  await archive.writeFile(ustarHeader(part));
  const source = path.join(scratch, part.name);
  for await (const bytes of createReadStream(source, { highWaterMark: COPY_BYTES })) await archive.writeFile(bytes);
  await archive.writeFile(new Uint8Array(ustarContentBytes(part.sizeBytes) - part.sizeBytes));
  await rm(source);
}

/** The parts as files of one folder: the descriptor last, so that whoever sees it finds the rest. */
async function putBeside(file: string, scratch: string, parts: readonly Part[]): Promise<number> {
  await putInto(path.dirname(file), scratch, parts.map(({ name }) => name).reverse());
  return parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** All of the files or none: what a power failure might take away again was not exported. */
async function putInto(folder: string, scratch: string, names: readonly string[]): Promise<void> {
  const done: string[] = [];
  try {
    for (const name of names) {
      const target = path.join(folder, name);
      await withIoFailures(target, { field: "file", consequence: "Nothing was exported." }, () =>
        moveToNewName(path.join(scratch, name), target),
      );
      done.push(target);
    }
    await syncFolder(folder);
  } catch (error) {
    for (const each of done) await rm(each, { force: true });
    throw error;
  }
}
