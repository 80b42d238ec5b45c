// IPv6 as a router of a small network does it (RFC 4861): router advertisements with prefix and name server, neighbour advertisements.

import { parseAddress } from "../addresses.ts";
import type { Frame } from "../frame.ts";
import { ICMPV6, icmpFrame } from "../packets/icmp.ts";
import type { IpPacket } from "../packets/ip.ts";

const OPTION = { SOURCE_LINK: 1, TARGET_LINK: 2, PREFIX: 3, MTU: 5, RDNSS: 25 } as const;
const ALL_NODES = parseAddress("ff02::1") as Uint8Array;
const ALL_NODES_MAC = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);
const LIFETIME_SECONDS = 1800;
const MTU_BYTES = 1500;

export interface RouterOptions {
  readonly mac: Uint8Array;
  /** Link-local address of the router. */
  readonly linkLocal: Uint8Array;
  /** A /64. */
  readonly prefix: Uint8Array;
  readonly dns: Uint8Array;
  /** Whether there is a way beyond this network: otherwise guests get addresses, but no default route to wait for in vain. */
  readonly isDefaultRouter: boolean;
}

/** To all nodes, or in answer to a solicitation. */
export function routerAdvertisement(options: RouterOptions): Frame {
  const body = new Uint8Array(12 + 8 + 32 + 8 + 24);
  const view = new DataView(body.buffer);
  body[0] = 64;
  view.setUint16(2, options.isDefaultRouter ? LIFETIME_SECONDS : 0);
  let at = 12;
  body.set([OPTION.SOURCE_LINK, 1, ...options.mac], at);
  at += 8;
  // On-link and autonomous address configuration.
  body.set([OPTION.PREFIX, 4, 64, 0xc0], at);
  view.setUint32(at + 4, LIFETIME_SECONDS * 2);
  view.setUint32(at + 8, LIFETIME_SECONDS);
  body.set(options.prefix, at + 16);
  at += 32;
  body.set([OPTION.MTU, 1], at);
  view.setUint32(at + 4, MTU_BYTES);
  at += 8;
  body.set([OPTION.RDNSS, 3], at);
  view.setUint32(at + 4, LIFETIME_SECONDS);
  body.set(options.dns, at + 8);
  return icmpFrame(
    {
      sourceMac: options.mac,
      destinationMac: ALL_NODES_MAC,
      source: options.linkLocal,
      destination: ALL_NODES,
      hopLimit: 255,
    },
    ICMPV6.ROUTER_ADVERTISEMENT,
    0,
    body,
  );
}

/** The address a neighbour solicitation asks for. */
export function solicitedAddress({ bytes, transport, end, hopLimit }: IpPacket): Uint8Array | undefined {
  return hopLimit === 255 && end - transport >= 24 ? bytes.slice(transport + 8, transport + 24) : undefined;
}

/** `mac` has `address`: told to whoever asked. */
export function neighborAdvertisement(
  address: Uint8Array,
  mac: Uint8Array,
  to: { readonly mac: Uint8Array; readonly address: Uint8Array },
): Frame {
  const body = new Uint8Array(28);
  // Router, solicited, override.
  body[0] = 0xe0;
  body.set(address, 4);
  body.set([OPTION.TARGET_LINK, 1, ...mac], 20);
  return icmpFrame(
    { sourceMac: mac, destinationMac: to.mac, source: address, destination: to.address, hopLimit: 255 },
    ICMPV6.NEIGHBOR_ADVERTISEMENT,
    0,
    body,
  );
}
