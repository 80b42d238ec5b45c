// Who is who in the small network around a guest.
//
//   NAT (QEMU's numbers, which guests and documents know):  10.0.2.2 gateway   10.0.2.3 name server   10.0.2.15... guests
//   host-only network:                                      192.168.n.1 the host   .100... guests, n by the network's name
import { parseAddress } from "../addresses.ts";

export interface AddressPlan {
  readonly network: Uint8Array;
  readonly prefix: number;
  readonly gateway: Uint8Array;
  readonly gatewayMac: Uint8Array;
  /** Undefined in a network that leads nowhere. */
  readonly dns: Uint8Array | undefined;
  readonly firstLease: number;
  readonly lastLease: number;
  readonly v6: { readonly prefix: Uint8Array; readonly gateway: Uint8Array; readonly dns: Uint8Array } | undefined;
  readonly linkLocal: Uint8Array;
}

const address = (text: string): Uint8Array => parseAddress(text) as Uint8Array;
const LINK_LOCAL = address("fe80::2");

export const NAT_PLAN: AddressPlan = {
  network: address("10.0.2.0"),
  prefix: 24,
  gateway: address("10.0.2.2"),
  gatewayMac: Uint8Array.of(0x52, 0x55, 10, 0, 2, 2),
  dns: address("10.0.2.3"),
  firstLease: 15,
  lastLease: 254,
  // A unique local prefix (RFC 4193) of our own.
  v6: {
    prefix: address("fd54:6572:7261::"),
    gateway: address("fd54:6572:7261::2"),
    dns: address("fd54:6572:7261::3"),
  },
  linkLocal: LINK_LOCAL,
};

/** The plan of a host-only network follows from its name, so that it is the same whenever and wherever it is used. */
export function hostOnlyPlan(name: string): AddressPlan {
  // FNV-1a
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  const [a, b, c] = [192, 168, 56 + (hash % 190)];
  return {
    network: Uint8Array.of(a, b, c, 0),
    prefix: 24,
    gateway: Uint8Array.of(a, b, c, 1),
    gatewayMac: Uint8Array.of(0x52, 0x55, a, b, c, 1),
    dns: undefined,
    firstLease: 100,
    lastLease: 254,
    v6: undefined,
    linkLocal: LINK_LOCAL,
  };
}
