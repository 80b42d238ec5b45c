// IPv4 (RFC 791) and IPv6 (RFC 8200) headers, read with every length checked against what is there.
import { complement, fold, pseudoHeaderSum, sumWords } from "../checksum.ts";
import { ETHER_TYPE, ETHERNET_HEADER_BYTES, etherType, newFrame } from "./ethernet.ts";

export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58 } as const;

export const IPV4_HEADER_BYTES = 20;
export const IPV6_HEADER_BYTES = 40;
const HOP_LIMIT = 64;

/** Extension headers that are skipped to find the transport: hop-by-hop, routing, destination options. */
const IPV6_EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);
const IPV6_FRAGMENT = 44;

/** Where things are in a frame that holds an IP packet. Offsets are from the start of the frame. */
export interface IpPacket {
  readonly bytes: Uint8Array;
  readonly version: 4 | 6;
  readonly protocol: number;
  readonly headerStart: number;
  /** Source address, followed by the destination address. */
  readonly addresses: number;
  readonly addressBytes: 4 | 16;
  readonly transport: number;
  readonly end: number;
  readonly hopLimit: number;
  /** Part of a larger packet (IPv4): offset in bytes, and whether more follow. */
  readonly fragmentOffset: number;
  readonly moreFragments: boolean;
  readonly identification: number;
}

/** Undefined for what is not IP or not whole. `frame` may be longer than its packet (padding). */
export function parseIp(frame: Uint8Array): IpPacket | undefined {
  if (frame.length < ETHERNET_HEADER_BYTES) return undefined;
  switch (etherType(frame)) {
    case ETHER_TYPE.IPV4:
      return parseIpv4(frame, ETHERNET_HEADER_BYTES);
    case ETHER_TYPE.IPV6:
      return parseIpv6(frame, ETHERNET_HEADER_BYTES);
    default:
      return undefined;
  }
}

function parseIpv4(bytes: Uint8Array, start: number): IpPacket | undefined {
  if (bytes.length < start + IPV4_HEADER_BYTES) return undefined;
  const first = bytes[start] as number;
  const headerBytes = (first & 15) * 4;
  const total = u16(bytes, start + 2);
  if (first >>> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES || total < headerBytes || start + total > bytes.length) {
    return undefined;
  }
  const fragment = u16(bytes, start + 6);
  return {
    bytes,
    version: 4,
    protocol: bytes[start + 9] as number,
    headerStart: start,
    addresses: start + 12,
    addressBytes: 4,
    transport: start + headerBytes,
    end: start + total,
    hopLimit: bytes[start + 8] as number,
    fragmentOffset: (fragment & 0x1fff) * 8,
    moreFragments: (fragment & 0x2000) !== 0,
    identification: u16(bytes, start + 4),
  };
}

function parseIpv6(bytes: Uint8Array, start: number): IpPacket | undefined {
  if (bytes.length < start + IPV6_HEADER_BYTES || (bytes[start] as number) >>> 4 !== 6) return undefined;
  const end = start + IPV6_HEADER_BYTES + u16(bytes, start + 4);
  if (end > bytes.length) return undefined;
  let protocol = bytes[start + 6] as number;
  let transport = start + IPV6_HEADER_BYTES;
  while (IPV6_EXTENSIONS.has(protocol)) {
    if (transport + 8 > end) return undefined;
    protocol = bytes[transport] as number;
    transport += 8 + 8 * (bytes[transport + 1] as number);
  }
  if (transport > end) return undefined;
  return {
    bytes,
    version: 6,
    protocol,
    headerStart: start,
    addresses: start + 8,
    addressBytes: 16,
    transport,
    end,
    hopLimit: bytes[start + 7] as number,
    // Fragments of IPv6 are not put together here: their protocol is "fragment", which nobody handles.
    fragmentOffset: protocol === IPV6_FRAGMENT ? 8 : 0,
    moreFragments: false,
    identification: 0,
  };
}

export function sourceOf(packet: IpPacket): Uint8Array {
  return packet.bytes.slice(packet.addresses, packet.addresses + packet.addressBytes);
}

export function destinationOf(packet: IpPacket): Uint8Array {
  const start = packet.addresses + packet.addressBytes;
  return packet.bytes.slice(start, start + packet.addressBytes);
}

export function ipHeaderChecksumOk(packet: IpPacket): boolean {
  return packet.version === 6 || fold(sumWords(packet.bytes, packet.headerStart, packet.transport)) === 0xffff;
}

/** Checks a TCP, UDP or ICMPv6 checksum. */
export function transportChecksumOk({ bytes, addresses, addressBytes, protocol, transport, end }: IpPacket): boolean {
  const pseudo = pseudoHeaderSum(bytes, addresses, addressBytes, protocol, end - transport);
  return fold(sumWords(bytes, transport, end, pseudo)) === 0xffff;
}

export interface IpTemplate {
  readonly sourceMac: Uint8Array;
  readonly destinationMac: Uint8Array;
  /** Both of 4 or both of 16 bytes. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  readonly hopLimit?: number;
}

let nextIdentification = 1;

/** A frame with Ethernet and IP header for `payloadBytes` of transport; returns it and where the transport begins. */
export function newIpFrame(
  template: IpTemplate,
  payloadBytes: number,
): { bytes: Uint8Array<ArrayBuffer>; transport: number } {
  const { source, destination, protocol, hopLimit = HOP_LIMIT } = template;
  const isV4 = source.length === 4;
  const headerBytes = isV4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  const type = isV4 ? ETHER_TYPE.IPV4 : ETHER_TYPE.IPV6;
  const bytes = newFrame(template.destinationMac, template.sourceMac, type, headerBytes + payloadBytes);
  const start = ETHERNET_HEADER_BYTES;
  if (isV4) {
    bytes[start] = 0x45;
    putU16(bytes, start + 2, headerBytes + payloadBytes);
    putU16(bytes, start + 4, nextIdentification++ & 0xffff);
    // Don't fragment.
    bytes[start + 6] = 0x40;
    bytes[start + 8] = hopLimit;
    bytes[start + 9] = protocol;
    bytes.set(source, start + 12);
    bytes.set(destination, start + 16);
    putU16(bytes, start + 10, complement(sumWords(bytes, start, start + IPV4_HEADER_BYTES)));
  } else {
    bytes[start] = 0x60;
    putU16(bytes, start + 4, payloadBytes);
    bytes[start + 6] = protocol;
    bytes[start + 7] = hopLimit;
    bytes.set(source, start + 8);
    bytes.set(destination, start + 24);
  }
  return { bytes, transport: start + headerBytes };
}

/** Sum of the pseudo-header of a frame made by `newIpFrame`. */
export function pseudoSumOf(bytes: Uint8Array, transport: number, protocol: number): number {
  const addressBytes = etherType(bytes) === ETHER_TYPE.IPV4 ? 4 : 16;
  return pseudoHeaderSum(bytes, transport - 2 * addressBytes, addressBytes, protocol, bytes.length - transport);
}

export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function u32(bytes: Uint8Array, at: number): number {
  return ((u16(bytes, at) << 16) | u16(bytes, at + 2)) >>> 0;
}

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >>> 8) & 0xff;
  bytes[at + 1] = value & 0xff;
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  putU16(bytes, at, value >>> 16);
  putU16(bytes, at + 2, value & 0xffff);
}
