// The file systems of a disk, whatever they are, and how two of them differ.
import { type AppError, isAppError } from "../../common/errors.ts";
import { openExt4 } from "./ext4.ts";
import { openFat } from "./fat.ts";
import { type BlockSource, type FileNode, type FileSystem, type NodeKind, sectionOf } from "./file-system.ts";
import { openNtfs } from "./ntfs.ts";
import { type Partition, partitionsOf } from "./partitions.ts";

export interface FoundFileSystem {
  readonly partition: Partition;
  readonly fileSystem: FileSystem;
}

const KINDS = { ext4: openExt4, ntfs: openNtfs, fat: openFat } as const;

/** Those of known kinds; partitions with anything else are left out. One that is damaged says so when it is used, the others can be read. */
export async function fileSystemsOf(disk: BlockSource): Promise<FoundFileSystem[]> {
  const found: FoundFileSystem[] = [];
  for (const partition of await partitionsOf(disk)) {
    const fileSystem = await openAny(sectionOf(disk, partition.offset, partition.sizeBytes));
    if (fileSystem) found.push({ partition, fileSystem });
  }
  return found;
}

async function openAny(section: BlockSource): Promise<FileSystem | undefined> {
  for (const [kind, open] of Object.entries(KINDS)) {
    try {
      const fileSystem = await open(section);
      if (fileSystem) return fileSystem;
    } catch (error) {
      if (!isAppError(error) || error.code !== "INVALID_FILE") throw error;
      return new DamagedFileSystem(kind as keyof typeof KINDS, error);
    }
  }
  return undefined;
}

class DamagedFileSystem implements FileSystem {
  readonly kind: FileSystem["kind"];
  readonly label = "";
  readonly #error: AppError;

  constructor(kind: FileSystem["kind"], error: AppError) {
    this.kind = kind;
    this.#error = error;
  }

  get sizeBytes(): number {
    throw this.#error;
  }

  list(): AsyncIterable<FileNode> {
    throw this.#error;
  }

  read(): AsyncIterable<Uint8Array> {
    throw this.#error;
  }
}

export interface FileChange {
  readonly path: string;
  readonly change: "added" | "changed" | "removed";
  readonly kind: NodeKind;
  readonly sizeBefore: number | null;
  readonly sizeAfter: number | null;
}

/** In the order of paths. Folders count as changed only by coming and going: what is in them says the rest. */
export async function compareFileSystems(
  before: FileSystem | undefined,
  after: FileSystem | undefined,
): Promise<FileChange[]> {
  const old = new Map<string, FileNode>();
  if (before) for await (const node of before.list()) old.set(node.path, node);
  const changes: FileChange[] = [];
  if (after) {
    for await (const node of after.list()) {
      const was = old.get(node.path);
      old.delete(node.path);
      if (!was) changes.push(changeOf("added", undefined, node));
      else if (was.kind !== node.kind || (node.kind !== "folder" && was.stamp !== node.stamp)) {
        changes.push(changeOf("changed", was, node));
      }
    }
  }
  for (const node of old.values()) changes.push(changeOf("removed", node, undefined));
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function changeOf(change: FileChange["change"], before: FileNode | undefined, after: FileNode | undefined): FileChange {
  const node = after ?? before;
  return {
    path: node?.path ?? "",
    change,
    kind: node?.kind ?? "other",
    sizeBefore: before?.sizeBytes ?? null,
    sizeAfter: after?.sizeBytes ?? null,
  };
}
