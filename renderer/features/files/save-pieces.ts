// A file that the host gives out in pieces, saved to the user's computer.
import { download } from "../../ui/download.ts";

interface Piece {
  readonly base64: string;
  readonly nextOffset: number | null;
}

/** `read` yields the piece at an offset. Rejects as it does; nothing is saved then. */
export async function savePieces(path: string, read: (offset: number) => Promise<Piece>): Promise<void> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let offset: number | null = 0; offset !== null; ) {
    const piece: Piece = await read(offset);
    pieces.push(Uint8Array.from(atob(piece.base64), (character) => character.charCodeAt(0)));
    offset = piece.nextOffset;
  }
  download(path.slice(path.lastIndexOf("/") + 1), new Blob(pieces));
}
