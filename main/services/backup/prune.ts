// Deleting backups: first what lists them, then the pieces that no other one has.
//
// Other hosts may be writing into the same folder. A piece that a backup under way counts on is young: storing it, or finding it there, sets its
// time. So only old ones are deleted, and a backup looks once more whether all of its pieces are there before it counts (repository.ts).
import { AppError } from "../../../native-core/common/errors.ts";
import { BackupRepository, piecesOf } from "./repository.ts";

/** No backup takes longer. */
const UNUSED_FOR_MS = 48 * 3_600_000;

/** Yields the bytes freed now; pieces that are young go with a later deletion. @throws AppError NOT_FOUND for an unknown id, with nothing deleted */
export async function deleteBackups(folder: string, ids: readonly string[], nowMs = Date.now()): Promise<number> {
  const repository = await BackupRepository.open(folder);
  const { manifests, damaged } = await repository.manifests();
  const unknown = ids.find((id) => !manifests.some((manifest) => manifest.id === id));
  if (unknown !== undefined) {
    throw new AppError("NOT_FOUND", `There is no backup ${unknown} in ${folder}`, {
      field: "backupId",
      consequence: "Nothing was deleted.",
      remedy: "List the backups of this folder.",
    });
  }
  for (const id of ids) await repository.removeManifest(id);
  // What a list that can't be read refers to is unknown.
  if (damaged.length > 0) return 0;
  const { manifests: left } = await repository.manifests();
  const used = new Set(left.flatMap((manifest) => [...piecesOf(manifest)]));
  return repository.removePieces((name) => !used.has(name), nowMs - UNUSED_FOR_MS);
}
