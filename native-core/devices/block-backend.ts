// What a disk controller asks of the medium behind it: raw sectors, asynchronous, no knowledge of formats or files.
// Implemented by media/ (qcow2, raw) and by memory disks in tests; used by virtio-blk and later by IDE and AHCI.
import { joinPieces, type Pieces, piecesLength, scatter } from "../common/pieces.ts";

/**
 * A disk. Offsets and lengths are bytes, multiples of 512, inside `sizeBytes` (controllers check before they call).
 * Several calls may be in flight; calls that touch the same bytes while one of them is pending have no order.
 * A rejected promise is an I/O error for the guest; what it means for the user is the implementation's to report.
 */
export interface BlockBackend {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Fills `target` completely. */
  read(offset: number, target: Uint8Array): Promise<void>;
  /** Takes all of `source`, which the caller does not touch until the promise settles. */
  write(offset: number, source: Uint8Array): Promise<void>;
  /** The same for several pieces of memory, for disks that can: they may be guest memory itself. */
  readPieces?(offset: number, target: Pieces): Promise<void>;
  writePieces?(offset: number, source: Pieces): Promise<void>;
  /** Fills `target` at once where nothing has to be waited for; false: `target` holds anything, ask with `read`. */
  readNow?(offset: number, target: Pieces): boolean;
  /** Settles when everything whose write had settled before the call survives a power failure. */
  flush(): Promise<void>;
  /** The guest no longer needs these bytes: they may read as zeroes or as before. */
  discard(offset: number, length: number): Promise<void>;
  /** Afterwards the bytes read as zeroes; `mayUnmap` allows their space to be given back. */
  writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void>;
}

/** The unit of block addresses in every controller, whatever the disk's logical block size. */
export const SECTOR_SIZE_BYTES = 512;

/** `read` into several pieces, whatever the disk can. */
export async function readPieces(disk: BlockBackend, offset: number, target: Pieces): Promise<void> {
  const [only] = target;
  if (target.length === 1 && only) return disk.read(offset, only);
  if (disk.readPieces) return disk.readPieces(offset, target);
  const joined = new Uint8Array(piecesLength(target));
  await disk.read(offset, joined);
  scatter(joined, target);
}

/** `write` from several pieces, whatever the disk can. */
export function writePieces(disk: BlockBackend, offset: number, source: Pieces): Promise<void> {
  return source.length > 1 && disk.writePieces
    ? disk.writePieces(offset, source)
    : disk.write(offset, joinPieces(source));
}
