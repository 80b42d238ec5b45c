// What backups hold of disks and memory, for machines whose own files are damaged.
import { existsSync } from "node:fs";
import path from "node:path";
import { type ChunkSource, chunksOfReaders, type PackReader } from "../../../native-core/host/state/repair-sources.ts";
import { BackupRepository, type Contents, type Manifest, PIECE_BYTES } from "../backup/repository.ts";
import type { ServiceContext } from "../context.ts";

export interface KeptBackup {
  readonly repository: BackupRepository;
  readonly manifest: Manifest;
}

/** All backups in the folders that the machines know, and in those given; newest first. A folder that is not there has none. */
export async function knownBackups(context: ServiceContext, further: readonly string[]): Promise<KeptBackup[]> {
  const configured = context.registry.list().flatMap(({ record }) => record.config.backup.folder ?? []);
  const kept: KeptBackup[] = [];
  for (const folder of new Set([...further, ...configured].map((each) => path.resolve(each)))) {
    if (!existsSync(folder) || !BackupRepository.isThere(folder)) continue;
    const repository = await BackupRepository.open(folder);
    kept.push(...(await repository.manifests()).manifests.map((manifest) => ({ repository, manifest })));
  }
  return kept.sort((a, b) => b.manifest.takenAtMs - a.manifest.takenAtMs);
}

/** Bytes of a disk or file in a backup. @throws AppError where a piece is damaged or gone */
export async function readContents(
  repository: BackupRepository,
  { pieces }: Contents,
  offset: number,
  length: number,
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let at = offset; at < offset + length; ) {
    const [index, inside] = [Math.floor(at / PIECE_BYTES), at % PIECE_BYTES];
    const part = Math.min(PIECE_BYTES - inside, offset + length - at);
    const piece = pieces[index];
    if (piece) bytes.set((await repository.get(piece)).subarray(inside, inside + part), at - offset);
    at += part;
  }
  return bytes;
}

/** Chunks of memory in the packs that backups hold. */
export function chunksOfBackups(backups: readonly KeptBackup[]): ChunkSource {
  const packs = new Map<string, PackReader>();
  for (const { repository, manifest } of backups) {
    for (const [name, contents] of Object.entries(manifest.memory ?? {})) {
      const [, id] = /^packs\/([0-9a-f]{32})\.pack$/.exec(name) ?? [];
      // The same pack of several backups is the same pieces; one in another folder is another copy.
      if (id === undefined) continue;
      const read = (offset: number, length: number) => readContents(repository, contents, offset, length);
      packs.set(`${repository.folder} ${id}`, { id, sizeBytes: contents.sizeBytes, read });
    }
  }
  return chunksOfReaders([...packs.values()]);
}
