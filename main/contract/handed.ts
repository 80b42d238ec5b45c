// How much may be given to a guest on a disc at once (main/services/media/handed.ts), and how it travels.

/** A disc is made in memory. */
export const HANDED_MAX_BYTES = 256 << 20;
/** Its folder is one block. */
export const HANDED_FILES_MAX = 12;
/** A piece of a file in one message. */
export const HANDED_PIECE_BYTES = 256 << 10;

export interface HandedFile {
  readonly name: string;
  readonly size: number;
  /** The bytes from `start` to `end`, or to the end of the file. */
  read(start: number, end: number): Promise<Uint8Array>;
}

interface Stages {
  stageFile(piece: { id: string; upload: string; name: string; base64: string }): Promise<unknown>;
}

/** Sends files in pieces; `progress` gets 0 to 1. Rejects as `media.stageFile`, and when `signal` is aborted. */
export async function stageFiles(
  media: Stages,
  target: { readonly id: string; readonly upload: string },
  files: readonly HandedFile[],
  toBase64: (bytes: Uint8Array) => string,
  progress: (fraction: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const { name, size, read } of files) {
    let start = 0;
    // An empty file is a piece without bytes.
    do {
      signal?.throwIfAborted();
      const bytes = await read(start, Math.min(size, start + HANDED_PIECE_BYTES));
      await media.stageFile({ ...target, name, base64: toBase64(bytes) });
      start += HANDED_PIECE_BYTES;
      done += bytes.length;
      progress(total === 0 ? 1 : done / total);
    } while (start < size);
  }
}
