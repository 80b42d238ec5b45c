// Ethernet II and 802.1Q headers.
export const ETHERNET_HEADER_BYTES = 14;

export const ETHER_TYPE = { IPV4: 0x0800, ARP: 0x0806, VLAN: 0x8100, IPV6: 0x86dd } as const;

export const BROADCAST_MAC: Uint8Array = new Uint8Array(6).fill(0xff);

export function etherType(frame: Uint8Array): number {
  return ((frame[12] as number) << 8) | (frame[13] as number);
}

export function isGroupAddress(mac: Uint8Array, at = 0): boolean {
  return ((mac[at] as number) & 1) === 1;
}

export function sameBytes(a: Uint8Array, atA: number, b: Uint8Array, atB: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[atA + i] !== b[atB + i]) return false;
  return true;
}

/** A new frame with its header filled in; `payloadBytes` zeroes follow. */
export function newFrame(
  destination: Uint8Array,
  source: Uint8Array,
  type: number,
  payloadBytes: number,
): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(ETHERNET_HEADER_BYTES + payloadBytes);
  frame.set(destination, 0);
  frame.set(source, 6);
  frame[12] = type >>> 8;
  frame[13] = type & 0xff;
  return frame;
}
