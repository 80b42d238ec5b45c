// ARP for IPv4 over Ethernet (RFC 826).
import { ETHER_TYPE, ETHERNET_HEADER_BYTES, newFrame } from "./ethernet.ts";
import { putU16, u16 } from "./ip.ts";

const ARP_BYTES = 28;
export const ARP_REQUEST = 1;
const ARP_REPLY = 2;

export interface ArpMessage {
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly senderAddress: Uint8Array;
  readonly targetAddress: Uint8Array;
}

export function parseArp(frame: Uint8Array): ArpMessage | undefined {
  const at = ETHERNET_HEADER_BYTES;
  if (frame.length < at + ARP_BYTES) return undefined;
  if (u16(frame, at) !== 1 || u16(frame, at + 2) !== ETHER_TYPE.IPV4 || u16(frame, at + 4) !== 0x0604) return undefined;
  return {
    operation: u16(frame, at + 6),
    senderMac: frame.slice(at + 8, at + 14),
    senderAddress: frame.slice(at + 14, at + 18),
    targetAddress: frame.slice(at + 24, at + 28),
  };
}

/** `mac` says that it has the address that was asked for. */
export function arpReply(request: ArpMessage, mac: Uint8Array): Uint8Array {
  const frame = newFrame(request.senderMac, mac, ETHER_TYPE.ARP, ARP_BYTES);
  const at = ETHERNET_HEADER_BYTES;
  putU16(frame, at, 1);
  putU16(frame, at + 2, ETHER_TYPE.IPV4);
  putU16(frame, at + 4, 0x0604);
  putU16(frame, at + 6, ARP_REPLY);
  frame.set(mac, at + 8);
  frame.set(request.targetAddress, at + 14);
  frame.set(request.senderMac, at + 18);
  frame.set(request.senderAddress, at + 24);
  return frame;
}
