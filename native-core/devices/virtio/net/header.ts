// struct virtio_net_hdr (virtio 1.2 5.1.6), which precedes each frame in a buffer:
//
//   flags:u8 gso_type:u8 hdr_len:u16 gso_size:u16 csum_start:u16 csum_offset:u16 num_buffers:u16
import { Frame } from "../../../network/frame.ts";
import { ETHER_TYPE, etherType } from "../../../network/packets/ethernet.ts";
import { PROTOCOL, parseIp } from "../../../network/packets/ip.ts";
import { VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6 } from "./config.ts";

export const NET_HEADER_BYTES = 12;
export const NUM_BUFFERS_OFFSET = 10;

const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
const VIRTIO_NET_HDR_GSO = { NONE: 0, TCPV4: 1, TCPV6: 4, ECN: 0x80 } as const;

/** No TCP has a smaller segment size; a guest that asks for one wants the host to make many packets out of one. */
const MIN_SEGMENT_BYTES = 48;

/** The frame the guest offered, or undefined when it asks for what was not negotiated or can't be done. */
export function frameFromGuest(header: Uint8Array, bytes: Uint8Array, features: bigint): Frame | undefined {
  const view = new DataView(header.buffer, header.byteOffset, NET_HEADER_BYTES);
  const gsoType = view.getUint8(1) & ~VIRTIO_NET_HDR_GSO.ECN;
  if ((view.getUint8(0) & VIRTIO_NET_HDR_F_NEEDS_CSUM) === 0) {
    return gsoType === VIRTIO_NET_HDR_GSO.NONE ? new Frame(bytes) : undefined;
  }
  const start = view.getUint16(6, true);
  const offset = view.getUint16(8, true);
  if (!(features & VIRTIO_NET_F_CSUM) || start < 14 || start + offset + 2 > bytes.length) return undefined;
  if (gsoType === VIRTIO_NET_HDR_GSO.NONE) return new Frame(bytes, start, offset);
  const wanted =
    gsoType === VIRTIO_NET_HDR_GSO.TCPV4
      ? VIRTIO_NET_F_HOST_TSO4
      : gsoType === VIRTIO_NET_HDR_GSO.TCPV6
        ? VIRTIO_NET_F_HOST_TSO6
        : 0n;
  const segmentBytes = view.getUint16(4, true);
  if (!(features & wanted) || segmentBytes < MIN_SEGMENT_BYTES) return undefined;
  return parseIp(bytes)?.protocol === PROTOCOL.TCP ? new Frame(bytes, start, offset, segmentBytes) : undefined;
}

/** Writes the header for a frame to the guest; num_buffers is the caller's. */
export function putHeader(target: Uint8Array, frame: Frame): void {
  target.fill(0, 0, NET_HEADER_BYTES);
  if (frame.checksumStart === 0) return;
  const view = new DataView(target.buffer, target.byteOffset, NET_HEADER_BYTES);
  view.setUint8(0, VIRTIO_NET_HDR_F_NEEDS_CSUM);
  view.setUint16(6, frame.checksumStart, true);
  view.setUint16(8, frame.checksumOffset, true);
  if (frame.segmentBytes === 0) return;
  view.setUint8(1, etherType(frame.bytes) === ETHER_TYPE.IPV6 ? VIRTIO_NET_HDR_GSO.TCPV6 : VIRTIO_NET_HDR_GSO.TCPV4);
  view.setUint16(2, frame.checksumStart + 20, true);
  view.setUint16(4, frame.segmentBytes, true);
}
