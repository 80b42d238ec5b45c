// One virtio-blk request, parsed from a descriptor chain and checked against the disk (virtio 1.2 5.2.6).
//
//   readable: {type:u32 reserved:u32 sector:u64} then data of OUT, or ranges {sector:u64 sectors:u32 flags:u32}[n]
//   writable: data of IN or GET_ID, then {status:u8} in the last byte
import { SECTOR_SIZE_BYTES } from "../../block-backend.ts";
import type { DiskRange } from "../../disk-requests.ts";
import type { DescriptorChain } from "../descriptor-chain.ts";
import { MAX_RANGE_SEGMENTS, MAX_REQUEST_BYTES } from "./config.ts";

const VIRTIO_BLK_T = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8, DISCARD: 11, WRITE_ZEROES: 13 } as const;

export const VIRTIO_BLK_S_OK = 0;
export const VIRTIO_BLK_S_IOERR = 1;
const VIRTIO_BLK_S_UNSUPP = 2;

export const HEADER_BYTES = 16;
const RANGE_BYTES = 16;
const ID_BYTES = 20;
const RANGE_FLAG_UNMAP = 1;

type BlockRequest =
  | { readonly kind: "read"; readonly offset: number; readonly length: number }
  | { readonly kind: "write"; readonly offset: number; readonly length: number }
  | { readonly kind: "flush" }
  | { readonly kind: "id"; readonly length: number }
  | { readonly kind: "discard" | "writeZeroes"; readonly ranges: readonly DiskRange[] }
  | { readonly kind: "refused"; readonly status: number };

const refused = (status: number): BlockRequest => ({ kind: "refused", status });

export interface DiskLimits {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
}

/** Returns undefined when the chain has no room for header and status: then there is not even a way to refuse it. */
export function parseRequest(chain: DescriptorChain, disk: DiskLimits): BlockRequest | undefined {
  if (chain.readableBytes < HEADER_BYTES || chain.writableBytes < 1) return undefined;
  const header = new Uint8Array(HEADER_BYTES);
  chain.read(0, header);
  const view = new DataView(header.buffer);
  const offset = byteOffset(view, 8);
  switch (view.getUint32(0, true)) {
    case VIRTIO_BLK_T.IN: {
      const length = chain.writableBytes - 1;
      if (!inside(offset, length, disk)) return refused(VIRTIO_BLK_S_IOERR);
      return { kind: "read", offset, length };
    }
    case VIRTIO_BLK_T.OUT: {
      const length = chain.readableBytes - HEADER_BYTES;
      if (disk.readOnly || !inside(offset, length, disk)) return refused(VIRTIO_BLK_S_IOERR);
      return { kind: "write", offset, length };
    }
    case VIRTIO_BLK_T.FLUSH:
      return { kind: "flush" };
    case VIRTIO_BLK_T.GET_ID:
      return { kind: "id", length: Math.min(ID_BYTES, chain.writableBytes - 1) };
    case VIRTIO_BLK_T.DISCARD:
      return parseRanges(chain, disk, "discard");
    case VIRTIO_BLK_T.WRITE_ZEROES:
      return parseRanges(chain, disk, "writeZeroes");
    default:
      return refused(VIRTIO_BLK_S_UNSUPP);
  }
}

function parseRanges(chain: DescriptorChain, disk: DiskLimits, kind: "discard" | "writeZeroes"): BlockRequest {
  const bytes = chain.readableBytes - HEADER_BYTES;
  const count = bytes / RANGE_BYTES;
  if (disk.readOnly || !Number.isInteger(count) || count === 0) return refused(VIRTIO_BLK_S_IOERR);
  if (count > MAX_RANGE_SEGMENTS) return refused(VIRTIO_BLK_S_IOERR);
  const body = new Uint8Array(bytes);
  chain.read(HEADER_BYTES, body);
  const view = new DataView(body.buffer);
  const ranges: DiskRange[] = [];
  for (let at = 0; at < bytes; at += RANGE_BYTES) {
    const offset = byteOffset(view, at);
    const length = view.getUint32(at + 8, true) * SECTOR_SIZE_BYTES;
    const flags = view.getUint32(at + 12, true);
    // virtio 1.2 5.2.6.2: unknown flags, and unmap on a discard, are unsupported.
    if (flags & ~RANGE_FLAG_UNMAP || (kind === "discard" && flags !== 0)) return refused(VIRTIO_BLK_S_UNSUPP);
    if (offset + length > disk.sizeBytes) return refused(VIRTIO_BLK_S_IOERR);
    ranges.push({ offset, length, unmap: flags !== 0 });
  }
  return { kind, ranges };
}

function byteOffset(view: DataView, at: number): number {
  return (view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32) * SECTOR_SIZE_BYTES;
}

function inside(offset: number, length: number, disk: DiskLimits): boolean {
  return length % SECTOR_SIZE_BYTES === 0 && length <= MAX_REQUEST_BYTES && offset + length <= disk.sizeBytes;
}
