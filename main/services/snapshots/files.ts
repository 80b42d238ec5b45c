// Files of a snapshot, read from its disk layers without help of the guest: folders to browse, contents to save, and single files on a disc
// that the running guest gets, which is the way back into it without a guest agent.
import path from "node:path";
import { AppError, isAppError } from "../../../native-core/common/errors.ts";
import type { FileNode, FileSystem } from "../../../native-core/media/file-systems/file-system.ts";
import { fileSystemsOf } from "../../../native-core/media/file-systems/open.ts";
import { HANDED_MAX_BYTES } from "../../contract/handed.ts";
import type { SnapshotFolder } from "../../contract/schemas.ts";
import type { SnapshotRecord } from "../../store/machine-record.ts";
import type { ServiceContext } from "../context.ts";
import type { Machine } from "../machines/machine.ts";
import { type Handed, handToDrive, tooMuch } from "../media/handed.ts";
import { momentOf, withImage } from "./diff.ts";

/** One answer to a request for a part of a file. */
const PIECE_BYTES = 1 << 20;
/** Walking a file system takes a while, and a snapshot never changes. */
const TREES_KEPT = 4;

interface FilePlace {
  /** Default: the first disk. */
  readonly diskId?: string | undefined;
  /** Default: the first partition that has the file. */
  readonly partition?: number | undefined;
  readonly path: string;
}

/** A piece of a file as it was in a snapshot. @throws AppError NOT_FOUND, INVALID_FILE */
export async function readSnapshotFile(
  context: ServiceContext,
  machine: Machine,
  snapshot: SnapshotRecord,
  place: FilePlace,
  offset: number,
): Promise<{ base64: string; nextOffset: number | null }> {
  const { disks } = momentOf(snapshot);
  const disk = place.diskId === undefined ? disks[0] : disks.find((each) => each.id === place.diskId);
  if (!disk) {
    throw new AppError("NOT_FOUND", `The snapshot "${snapshot.name}" has no disk ${place.diskId ?? ""}`, {
      field: "diskId",
    });
  }
  return withImage(context, machine, disk, async (image) => {
    const found = (await fileSystemsOf(image)).filter(
      ({ partition }) => place.partition === undefined || partition.number === place.partition,
    );
    let damage: AppError | undefined;
    for (const { fileSystem } of found) {
      try {
        return await pieceOf(fileSystem.read(place.path), offset);
      } catch (error) {
        if (!isAppError(error) || (error.code !== "NOT_FOUND" && error.code !== "INVALID_FILE")) throw error;
        // Another one may have the file.
        if (error.code === "INVALID_FILE") damage ??= error;
      }
    }
    if (damage) throw damage;
    throw new AppError("NOT_FOUND", `There is no file ${place.path} in "${snapshot.name}"`, {
      field: "path",
      remedy: "Give the path within its file system, and the disk and partition if there are several.",
    });
  });
}

async function pieceOf(contents: AsyncIterable<Uint8Array>, offset: number) {
  const taken: Uint8Array[] = [];
  let [at, length] = [0, 0];
  for await (const piece of contents) {
    const part = piece.subarray(Math.min(piece.length, Math.max(0, offset - at)));
    at += piece.length;
    if (part.length === 0) continue;
    const rest = part.subarray(0, PIECE_BYTES - length);
    taken.push(rest);
    length += rest.length;
    if (length === PIECE_BYTES) return { base64: Buffer.concat(taken).toString("base64"), nextOffset: offset + length };
  }
  return { base64: Buffer.concat(taken).toString("base64"), nextOffset: null };
}

interface DiskTree {
  readonly fileSystem: FileSystem["kind"];
  readonly label: string;
  readonly partition: number;
  /** By the path of their folder; "/" is the root. */
  readonly folders: ReadonlyMap<string, readonly FileNode[]>;
}

const trees = new Map<string, Promise<DiskTree[]>>();

function treesOf(context: ServiceContext, machine: Machine, snapshot: SnapshotRecord, diskId: string) {
  const key = `${snapshot.id} ${diskId}`;
  let found = trees.get(key);
  if (found) trees.delete(key);
  found ??= readTrees(context, machine, snapshot, diskId);
  trees.set(key, found);
  found.catch(() => trees.delete(key));
  const [oldest] = trees.keys();
  if (trees.size > TREES_KEPT && oldest !== undefined) trees.delete(oldest);
  return found;
}

async function readTrees(context: ServiceContext, machine: Machine, snapshot: SnapshotRecord, diskId: string) {
  const disk = momentOf(snapshot).disks.find(({ id }) => id === diskId);
  if (!disk) return [];
  const options = { title: `Reading files of ${machine.name}`, machineId: machine.id, cancellable: false };
  return context.tasks.run(options, () =>
    withImage(context, machine, disk, async (image) => {
      const found: DiskTree[] = [];
      for (const { partition, fileSystem } of await fileSystemsOf(image)) {
        const folders = new Map<string, FileNode[]>([["/", []]]);
        for await (const node of fileSystem.list()) {
          const folder = path.posix.dirname(node.path);
          const nodes = folders.get(folder);
          if (nodes) nodes.push(node);
          else folders.set(folder, [node]);
          if (node.kind === "folder" && !folders.has(node.path)) folders.set(node.path, []);
        }
        const { kind, label } = fileSystem;
        found.push({ fileSystem: kind, label, partition: partition.number, folders });
      }
      return found;
    }),
  );
}

/** One folder, and all disks and partitions there are to choose from. @throws AppError NOT_FOUND */
export async function listSnapshotFolder(
  context: ServiceContext,
  machine: Machine,
  snapshot: SnapshotRecord,
  wanted: FilePlace,
): Promise<SnapshotFolder> {
  const places: SnapshotFolder["places"] = [];
  const all: { readonly diskId: string; readonly tree: DiskTree }[] = [];
  for (const { id: diskId, bus } of momentOf(snapshot).disks) {
    if (bus === "nvram") continue;
    for (const tree of await treesOf(context, machine, snapshot, diskId)) {
      const { partition, fileSystem, label } = tree;
      places.push({ diskId, partition, fileSystem, label });
      all.push({ diskId, tree });
    }
  }
  const chosen = all.find(
    ({ diskId, tree }) =>
      (wanted.diskId === undefined || diskId === wanted.diskId) &&
      (wanted.partition === undefined || tree.partition === wanted.partition),
  );
  if (!chosen) return { places, diskId: null, partition: null, entries: [] };
  const nodes = chosen.tree.folders.get(path.posix.resolve("/", wanted.path));
  if (!nodes) {
    throw new AppError("NOT_FOUND", `There is no folder ${wanted.path} in "${snapshot.name}"`, {
      field: "path",
      remedy: "Give the path within its file system.",
    });
  }
  const entries = nodes.map(({ path: whole, kind, sizeBytes, modifiedMs }) => ({
    ...{ path: whole, name: path.posix.basename(whole), kind, sizeBytes, modifiedMs },
  }));
  const rank = (kind: string): number => (kind === "folder" ? 0 : 1);
  entries.sort((a, b) => rank(a.kind) - rank(b.kind) || a.name.localeCompare(b.name));
  return { places, diskId: chosen.diskId, partition: chosen.tree.partition, entries };
}

/** Puts a file as it was onto a disc, and that into the machine's first drive. @throws AppError as `changeDisc`, and UNSUPPORTED */
export async function handToGuest(
  context: ServiceContext,
  machine: Machine,
  snapshot: SnapshotRecord,
  place: FilePlace,
): Promise<Handed> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for (let offset: number | null = 0; offset !== null; ) {
    const piece: { base64: string; nextOffset: number | null } = await readSnapshotFile(
      context,
      machine,
      snapshot,
      place,
      offset,
    );
    const content = Buffer.from(piece.base64, "base64");
    pieces.push(content);
    bytes += content.length;
    if (bytes > HANDED_MAX_BYTES) throw tooMuch();
    offset = piece.nextOffset;
  }
  return handToDrive(context, machine, "RESTORED", new Map([[place.path, Buffer.concat(pieces)]]));
}
