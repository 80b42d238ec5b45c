// The one-file form of a backup folder: a tar archive (POSIX.1-1988 ustar) that any tool lists and unpacks. Only what a backup folder may
// hold goes in and comes out; everything else in a file from elsewhere is refused.
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { AppError } from "../../../native-core/common/errors.ts";
import { syncFolder, temporaryName } from "../../store/atomic-file.ts";
import { withIoFailures } from "../../store/io-error.ts";
import { readUstarHeader, USTAR_BLOCK, type UstarEntry, ustarContentBytes, ustarHeader } from "../../store/ustar.ts";

const ENTRY_MAX_BYTES = 256 << 20;
const ALLOWED = /^(?:terrarium-backup\.json|backups\/[0-9a-f]{12}\.json|objects\/[0-9a-f]{2}\/[0-9a-f]{64}\.zst)$/;

/** Packs the backup folder into `file`, which must not exist. Complete or absent. @throws AppError ALREADY_EXISTS, NO_SPACE, ... */
export async function packFolder(folder: string, file: string): Promise<number> {
  const details = { field: "file", consequence: "Nothing was exported." };
  const temporary = temporaryName(file);
  return withIoFailures(file, details, async () => {
    // Takes the name first, so that nobody else's file is written over at the end.
    await (await open(file, "wx")).close();
    try {
      const handle = await open(temporary, "wx");
      let sizeBytes = 0;
      const write = async (bytes: Uint8Array) => {
        await handle.writeFile(bytes);
        sizeBytes += bytes.length;
      };
      try {
        for (const name of await namesIn(folder)) await packEntry(path.join(folder, name), name, write);
        await write(new Uint8Array(2 * USTAR_BLOCK));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
      await syncFolder(path.dirname(file));
      return sizeBytes;
    } catch (error) {
      for (const each of [temporary, file]) await rm(each, { force: true });
      throw error;
    }
  });
}

/** The marker first: whoever looks at the file sees what it is. */
async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, "/"));
  return names
    .filter((name) => ALLOWED.test(name))
    .sort((a, b) => (a.includes("/") ? 1 : 0) - (b.includes("/") ? 1 : 0));
}

async function packEntry(file: string, name: string, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  const handle = await open(file, "r");
  try {
    const bytes = await handle.readFile();
    await write(ustarHeader({ name, sizeBytes: bytes.length }));
    await write(bytes);
    await write(new Uint8Array(ustarContentBytes(bytes.length) - bytes.length));
  } finally {
    await handle.close();
  }
}

/** Unpacks what a backup folder may hold into a new folder. @throws AppError INVALID_FILE for anything else */
export async function unpackFile(file: string, folder: string): Promise<void> {
  const details = { field: "file", consequence: "Nothing was imported." };
  const handle = await withIoFailures(file, details, () => open(file, "r"));
  try {
    for (let position = 0; ; ) {
      const at = position;
      const header = await withIoFailures(file, details, () => readExactly(handle, at, USTAR_BLOCK, file));
      if (header.every((byte) => byte === 0)) return;
      const { name, sizeBytes } = entryOf(header, file);
      const target = path.join(folder, name);
      const bytes = await readExactly(handle, position + USTAR_BLOCK, sizeBytes, file);
      await withIoFailures(target, details, async () => {
        await mkdir(path.dirname(target), { recursive: true });
        const out = await open(target, "wx");
        try {
          await out.writeFile(bytes);
        } finally {
          await out.close();
        }
      });
      position += USTAR_BLOCK + ustarContentBytes(sizeBytes);
    }
  } finally {
    await handle.close();
  }
}

function entryOf(header: Buffer, file: string): UstarEntry {
  const entry = readUstarHeader(header);
  if (entry && ALLOWED.test(entry.name) && entry.sizeBytes <= ENTRY_MAX_BYTES) return entry;
  throw notAnExport(file);
}

async function readExactly(handle: FileHandle, position: number, length: number, file: string): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw notAnExport(file);
    done += bytesRead;
  }
  return bytes;
}

function notAnExport(file: string): AppError {
  return new AppError("INVALID_FILE", `${file} is not a machine exported by Terrarium, or it is cut off`, {
    file,
    field: "file",
    consequence: "Nothing was imported.",
    remedy: "Export the machine again, or copy the file again.",
  });
}
