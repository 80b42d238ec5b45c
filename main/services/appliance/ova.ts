// Unpacks an OVA archive: a tar file with a descriptor, its disks and a manifest, side by side.
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { withIoFailures } from "../../store/io-error.ts";
import { readUstarHeader, USTAR_BLOCK, ustarContentBytes } from "../../store/ustar.ts";
import { cancelled } from "../failures.ts";
import type { TaskHandle } from "../tasks.ts";
import { badAppliance } from "./appliance.ts";

const COPY_BYTES = 1 << 20;
const ENTRIES_MAX = 256;
const DETAILS = { field: "file", consequence: "Nothing was imported." };

/** Puts all files of the archive into `folder`; yields the descriptor's name. @throws AppError INVALID_FILE, NO_SPACE, CANCELLED */
export async function unpackOva(file: string, folder: string, task: TaskHandle): Promise<string> {
  const archive = await withIoFailures(file, DETAILS, () => open(file, "r"));
  try {
    const { size } = await archive.stat();
    const names = new Set<string>();
    const header = Buffer.alloc(USTAR_BLOCK);
    for (let position = 0; position + USTAR_BLOCK <= size; ) {
      await archive.read(header, 0, USTAR_BLOCK, position);
      if (header.every((byte) => byte === 0)) break;
      const entry = readUstarHeader(header);
      const from = position + USTAR_BLOCK;
      if (!entry || !isPlainName(entry.name) || names.has(entry.name) || names.size === ENTRIES_MAX) {
        throw badAppliance(file, "is not an OVA archive, or holds what none may hold");
      }
      if (from + entry.sizeBytes > size) throw badAppliance(file, "is cut off");
      names.add(entry.name);
      const target = path.join(folder, entry.name);
      await withIoFailures(target, DETAILS, () =>
        extract(archive, from, entry.sizeBytes, target, (done) => {
          if (task.signal.aborted) throw cancelled("The import");
          task.progress((from + done) / size);
        }),
      );
      position = from + ustarContentBytes(entry.sizeBytes);
    }
    const descriptor = [...names].find((name) => /\.ovf$/i.test(name));
    if (descriptor === undefined) throw badAppliance(file, "has no descriptor");
    return descriptor;
  } finally {
    await archive.close();
  }
}

/** Names come from strangers: no folders, nothing hidden, nothing that is special somewhere. */
const isPlainName = (name: string): boolean => /^[^./\\:\p{Cc}][^/\\:\p{Cc}]*$/u.test(name);

async function extract(
  archive: FileHandle,
  from: number,
  length: number,
  target: string,
  onProgress: (done: number) => void,
): Promise<void> {
  const out = await open(target, "wx", 0o600);
  try {
    const piece = Buffer.alloc(Math.min(COPY_BYTES, length));
    for (let done = 0; done < length; ) {
      onProgress(done);
      const { bytesRead } = await archive.read(piece, 0, Math.min(piece.length, length - done), from + done);
      if (bytesRead === 0) throw badAppliance(target, "is cut off");
      await out.writeFile(piece.subarray(0, bytesRead));
      done += bytesRead;
    }
  } finally {
    await out.close();
  }
}
