// Looking into file systems in memory, for their tests.
import type { BlockSource, FileSystem } from "../../../native-core/media/file-systems/file-system.ts";
import { fileSystemsOf } from "../../../native-core/media/file-systems/open.ts";

export function sourceOf(bytes: Uint8Array): BlockSource {
  return {
    sizeBytes: bytes.length,
    async read(offset, target) {
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}

export async function onlyFileSystem(bytes: Uint8Array): Promise<FileSystem> {
  const [found] = await fileSystemsOf(sourceOf(bytes));
  if (!found) throw new Error("there is no file system");
  return found.fileSystem;
}

export async function pathsOf(fileSystem: FileSystem): Promise<string[]> {
  const paths: string[] = [];
  for await (const node of fileSystem.list()) paths.push(`${node.path} ${node.kind} ${node.sizeBytes}`);
  return paths.sort();
}

export async function contentsOf(fileSystem: FileSystem, path: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of fileSystem.read(path)) pieces.push(piece);
  return Buffer.concat(pieces);
}
