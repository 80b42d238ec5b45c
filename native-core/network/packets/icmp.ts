// ICMP (RFC 792) and the parts of ICMPv6 (RFC 4443, RFC 4861) that a router of a small network speaks.
import { complement, sumWords } from "../checksum.ts";
import { Frame } from "../frame.ts";
import { type IpPacket, type IpTemplate, newIpFrame, PROTOCOL, pseudoSumOf, putU16 } from "./ip.ts";

export const ICMP = { ECHO_REPLY: 0, UNREACHABLE: 3, ECHO: 8 } as const;
export const ICMPV6 = {
  UNREACHABLE: 1,
  ECHO: 128,
  ECHO_REPLY: 129,
  ROUTER_SOLICITATION: 133,
  ROUTER_ADVERTISEMENT: 134,
  NEIGHBOR_SOLICITATION: 135,
  NEIGHBOR_ADVERTISEMENT: 136,
} as const;

/** RFC 1812 5.2.7.1 and RFC 4443 3.1: communication administratively prohibited. */
const PROHIBITED_V4 = 13;
const PROHIBITED_V6 = 1;
/** Of the offending packet, its header and what tells ports. */
const QUOTED_BYTES = 64;

/** A message with `body` behind type and code; the checksum goes between. */
export function icmpFrame(template: Omit<IpTemplate, "protocol">, type: number, code: number, body: Uint8Array): Frame {
  const protocol = template.source.length === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6;
  const { bytes, transport } = newIpFrame({ ...template, protocol }, 4 + body.length);
  bytes[transport] = type;
  bytes[transport + 1] = code;
  bytes.set(body, transport + 4);
  const pseudo = protocol === PROTOCOL.ICMPV6 ? pseudoSumOf(bytes, transport, protocol) : 0;
  putU16(bytes, transport + 2, complement(sumWords(bytes, transport, bytes.length, pseudo)));
  return new Frame(bytes);
}

/** Says that the packet's destination may not be reached. */
export function prohibitedFrame(template: Omit<IpTemplate, "protocol">, packet: IpPacket): Frame {
  const quoted = packet.bytes.subarray(packet.headerStart, Math.min(packet.end, packet.headerStart + QUOTED_BYTES));
  const body = new Uint8Array(4 + quoted.length);
  body.set(quoted, 4);
  return packet.version === 4
    ? icmpFrame(template, ICMP.UNREACHABLE, PROHIBITED_V4, body)
    : icmpFrame(template, ICMPV6.UNREACHABLE, PROHIBITED_V6, body);
}
