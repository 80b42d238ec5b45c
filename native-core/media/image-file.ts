// The file under a disk image, abstract: the formats in this folder run on Node files, on memory and on recording files in tests.

import { joinPieces, type Pieces, piecesLength, scatter } from "../common/pieces.ts";

/** Random access to one open file. Several calls may be in flight; offsets and lengths are bytes without alignment rules. */
export interface ImageFile {
  /** How the user knows the file; used in messages only. */
  readonly name: string;
  readonly readOnly: boolean;
  /** Fills `target` from `offset` on and yields how many bytes there were: fewer than asked only at the end of the file. */
  read(offset: number, target: Uint8Array): Promise<number>;
  /** Writes all of `source`, growing the file as needed. Rejects with AppError NO_SPACE or IO_ERROR. */
  write(offset: number, source: Uint8Array): Promise<void>;
  /** The same with several pieces of memory in one request, for files that can. */
  readPieces?(offset: number, target: Pieces): Promise<number>;
  writePieces?(offset: number, source: Pieces): Promise<void>;
  /** Fills `target` at once if that takes no longer than asking for it would; false: it did not, ask. */
  readNow?(offset: number, target: Pieces): boolean;
  /** Settles when everything whose write settled before the call survives a power failure. */
  flush(): Promise<void>;
  size(): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  /** Gives the host's space behind these bytes back where the platform can; they read as zeroes or as before. Best effort. */
  punchHole(offset: number, length: number): Promise<void>;
  close(): Promise<void>;
}

/** Reads exactly `target`; what lies behind the end of the file reads as zeroes. */
export async function readPadded(file: ImageFile, offset: number, target: Uint8Array): Promise<void> {
  const count = await file.read(offset, target);
  if (count < target.length) target.fill(0, count);
}

/** `read` into several pieces, whatever the file can. */
export async function readPieces(file: ImageFile, offset: number, target: Pieces): Promise<number> {
  if (target.length === 0) return 0;
  const [only] = target;
  if (target.length === 1 && only) return file.read(offset, only);
  if (file.readPieces) return file.readPieces(offset, target);
  const joined = new Uint8Array(piecesLength(target));
  const count = await file.read(offset, joined);
  scatter(joined, target);
  return count;
}

/** `write` from several pieces, whatever the file can. */
export function writePieces(file: ImageFile, offset: number, source: Pieces): Promise<void> {
  return source.length > 1 && file.writePieces
    ? file.writePieces(offset, source)
    : file.write(offset, joinPieces(source));
}
