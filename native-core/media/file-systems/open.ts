// The file systems of a disk, whatever they are, and how two of them differ.
import { openExt4 } from "./ext4.ts";
import { openFat } from "./fat.ts";
import { type BlockSource, type FileNode, type FileSystem, type NodeKind, sectionOf } from "./file-system.ts";
import { openNtfs } from "./ntfs.ts";
import { type Partition, partitionsOf } from "./partitions.ts";

export interface FoundFileSystem {
  readonly partition: Partition;
  readonly fileSystem: FileSystem;
}

/** Those that can be read; partitions with anything else are left out. */
export async function fileSystemsOf(disk: BlockSource): Promise<FoundFileSystem[]> {
  const found: FoundFileSystem[] = [];
  for (const partition of await partitionsOf(disk)) {
    const section = sectionOf(disk, partition.offset, partition.sizeBytes);
    const fileSystem = (await openExt4(section)) ?? (await openNtfs(section)) ?? (await openFat(section));
    if (fileSystem) found.push({ partition, fileSystem });
  }
  return found;
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
