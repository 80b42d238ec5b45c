// Several pieces of memory that count as one, in order: what a scatter-gather list of a device becomes on its way to a file.

export type Pieces = readonly Uint8Array[];

export function piecesLength(pieces: Pieces): number {
  let total = 0;
  for (const piece of pieces) total += piece.length;
  return total;
}

/** Views of bytes [from, to). */
export function slicePieces(pieces: Pieces, from: number, to: number): Pieces {
  const [only] = pieces;
  if (pieces.length === 1 && only) return from === 0 && to === only.length ? pieces : [only.subarray(from, to)];
  const found: Uint8Array[] = [];
  let start = 0;
  for (const piece of pieces) {
    const end = start + piece.length;
    if (start >= to) break;
    if (end > from) found.push(piece.subarray(Math.max(0, from - start), Math.min(piece.length, to - start)));
    start = end;
  }
  return found;
}

/** Copies `source`, as long as the pieces together, into them. */
export function scatter(source: Uint8Array, pieces: Pieces): void {
  let done = 0;
  for (const piece of pieces) {
    piece.set(source.subarray(done, done + piece.length));
    done += piece.length;
  }
}

/** Copies the pieces into `target` from `at` on. */
export function gather(pieces: Pieces, target: Uint8Array, at = 0): void {
  for (const piece of pieces) {
    target.set(piece, at);
    at += piece.length;
  }
}

/** All bytes in one array: the piece itself if there is only one, else a copy. */
export function joinPieces(pieces: Pieces): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only) return only;
  const joined = new Uint8Array(piecesLength(pieces));
  gather(pieces, joined);
  return joined;
}

/** Zeroes from byte `from` on. */
export function zeroPieces(pieces: Pieces, from = 0): void {
  let start = 0;
  for (const piece of pieces) {
    if (start + piece.length > from) piece.fill(0, Math.max(0, from - start));
    start += piece.length;
  }
}
