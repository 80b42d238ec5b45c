// UDP datagrams (RFC 768), whole ones: fragments are put together before (nat/reassembly.ts).
import { complement, sumWords } from "../checksum.ts";
import { Frame } from "../frame.ts";
import { type IpPacket, type IpTemplate, newIpFrame, PROTOCOL, pseudoSumOf, putU16, u16 } from "./ip.ts";

export const UDP_HEADER_BYTES = 8;
export const UDP_CHECKSUM_OFFSET = 6;

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

export function parseUdp({ bytes, transport, end }: IpPacket): UdpDatagram | undefined {
  if (end - transport < UDP_HEADER_BYTES) return undefined;
  const length = u16(bytes, transport + 4);
  if (length < UDP_HEADER_BYTES || transport + length > end) return undefined;
  return {
    sourcePort: u16(bytes, transport),
    destinationPort: u16(bytes, transport + 2),
    payload: bytes.subarray(transport + UDP_HEADER_BYTES, transport + length),
  };
}

export function udpFrame(
  template: Omit<IpTemplate, "protocol">,
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
): Frame {
  const { bytes, transport } = newIpFrame({ ...template, protocol: PROTOCOL.UDP }, UDP_HEADER_BYTES + payload.length);
  putU16(bytes, transport, sourcePort);
  putU16(bytes, transport + 2, destinationPort);
  putU16(bytes, transport + 4, UDP_HEADER_BYTES + payload.length);
  bytes.set(payload, transport + UDP_HEADER_BYTES);
  const sum = sumWords(bytes, transport, bytes.length, pseudoSumOf(bytes, transport, PROTOCOL.UDP));
  // RFC 768: a computed zero is sent as all ones, since zero means "no checksum".
  putU16(bytes, transport + UDP_CHECKSUM_OFFSET, complement(sum) || 0xffff);
  return new Frame(bytes);
}
