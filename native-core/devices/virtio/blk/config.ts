// virtio-blk: features, limits and the configuration structure (virtio 1.2 5.2.3, 5.2.4).
import { type BlockBackend, SECTOR_SIZE_BYTES } from "../../block-backend.ts";

const VIRTIO_BLK_F_SIZE_MAX = 1n << 1n;
const VIRTIO_BLK_F_SEG_MAX = 1n << 2n;
export const VIRTIO_BLK_F_RO = 1n << 5n;
const VIRTIO_BLK_F_BLK_SIZE = 1n << 6n;
export const VIRTIO_BLK_F_FLUSH = 1n << 9n;
const VIRTIO_BLK_F_TOPOLOGY = 1n << 10n;
export const VIRTIO_BLK_F_CONFIG_WCE = 1n << 11n;
export const VIRTIO_BLK_F_DISCARD = 1n << 13n;
const VIRTIO_BLK_F_WRITE_ZEROES = 1n << 14n;

/** Entries of the request queue. */
export const QUEUE_SIZE = 256;
/** Data segments of one request: with header and status it must fit the queue. Enough for 1 MiB of scattered pages. */
const MAX_SEGMENTS = QUEUE_SIZE - 2;
const MAX_SEGMENT_BYTES = 64 * 1024;
/** More than any driver that keeps the two limits above can ask for; a larger request fails. */
export const MAX_REQUEST_BYTES = MAX_SEGMENTS * MAX_SEGMENT_BYTES;
/** Requests wait in the ring while this much data is being moved, which bounds what a guest can make the host allocate. */
export const MAX_BYTES_IN_FLIGHT = 2 * MAX_REQUEST_BYTES;

export const MAX_RANGE_SEGMENTS = 16;
const MAX_DISCARD_SECTORS = 0x3f_ffff;
const MAX_WRITE_ZEROES_SECTORS = 0x3f_ffff;

export const CONFIG_LENGTH = 60;
export const CONFIG_WRITEBACK = 32;

export interface BlockGeometry {
  /** Logical block size in bytes: 512 or 4096. */
  readonly logicalBlockBytes: number;
  /** Preferred unit, e.g. the cluster the medium allocates; a power of two of at least the logical block. */
  readonly physicalBlockBytes: number;
}

export function blockFeatures(backend: BlockBackend): bigint {
  const always =
    VIRTIO_BLK_F_SIZE_MAX |
    VIRTIO_BLK_F_SEG_MAX |
    VIRTIO_BLK_F_BLK_SIZE |
    VIRTIO_BLK_F_FLUSH |
    VIRTIO_BLK_F_TOPOLOGY |
    VIRTIO_BLK_F_CONFIG_WCE;
  return backend.readOnly ? always | VIRTIO_BLK_F_RO : always | VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES;
}

/** The structure as the driver reads it; `writeback` is the only byte that changes. */
export function blockConfig(backend: BlockBackend, geometry: BlockGeometry): Uint8Array {
  const config = new Uint8Array(CONFIG_LENGTH);
  const view = new DataView(config.buffer);
  const blockSectors = geometry.logicalBlockBytes / SECTOR_SIZE_BYTES;
  view.setBigUint64(0, BigInt(Math.floor(backend.sizeBytes / SECTOR_SIZE_BYTES)), true);
  view.setUint32(8, MAX_SEGMENT_BYTES, true);
  view.setUint32(12, MAX_SEGMENTS, true);
  view.setUint32(20, geometry.logicalBlockBytes, true);
  // Topology: log2 of logical blocks per physical block, offset of the first aligned one, minimum and optimal I/O in blocks.
  view.setUint8(24, Math.log2(geometry.physicalBlockBytes / geometry.logicalBlockBytes));
  view.setUint8(25, 0);
  view.setUint16(26, geometry.physicalBlockBytes / geometry.logicalBlockBytes, true);
  view.setUint32(28, 0, true);
  view.setUint8(CONFIG_WRITEBACK, 1);
  view.setUint16(34, 1, true);
  view.setUint32(36, MAX_DISCARD_SECTORS, true);
  view.setUint32(40, MAX_RANGE_SEGMENTS, true);
  view.setUint32(44, blockSectors, true);
  view.setUint32(48, MAX_WRITE_ZEROES_SECTORS, true);
  view.setUint32(52, MAX_RANGE_SEGMENTS, true);
  view.setUint8(56, 1);
  return config;
}
