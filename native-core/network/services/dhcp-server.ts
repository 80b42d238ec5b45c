// A DHCP server for one small network (RFC 2131 4.3): an address from its pool for each adapter, the same one as long as there is room.
import { formatMac, sameAddress } from "../addresses.ts";
import {
  buildDhcp,
  DHCP_OPTION,
  DHCP_TYPE,
  type DhcpReply,
  type DhcpRequest,
  optionU32,
  parseDhcp,
  UNSPECIFIED,
} from "./dhcp-message.ts";

const LEASE_SECONDS = 86_400;

export interface DhcpOptions {
  /** The network's address and prefix length. */
  readonly network: Uint8Array;
  readonly prefix: number;
  readonly server: Uint8Array;
  /** Default route; undefined in a network that leads nowhere. */
  readonly router: Uint8Array | undefined;
  readonly dns: Uint8Array | undefined;
  /** Last bytes of the first and last address given out. */
  readonly first: number;
  readonly last: number;
  /** What a client without a system boots, from the server by TFTP; empty: nothing. */
  bootFile(): string;
  nowMs(): number;
}

export interface Lease {
  readonly mac: string;
  readonly address: Uint8Array;
  readonly hostName: string;
  readonly expiresMs: number;
}

export class DhcpServer {
  readonly #options: DhcpOptions;
  /** By MAC, longest unused first. */
  readonly #leases = new Map<string, Lease>();

  constructor(options: DhcpOptions) {
    this.#options = options;
  }

  get leases(): readonly Lease[] {
    return [...this.#leases.values()].filter((lease) => lease.expiresMs > this.#options.nowMs());
  }

  /** The answer to a datagram to port 67, if there is one. */
  answer(payload: Uint8Array): { request: DhcpRequest; reply: Uint8Array; isNak: boolean } | undefined {
    const request = parseDhcp(payload);
    const reply = request && this.#decide(request);
    if (!request || !reply) return undefined;
    return { request, reply: buildDhcp(request, reply), isNak: reply.type === DHCP_TYPE.NAK };
  }

  #decide(request: DhcpRequest): DhcpReply | undefined {
    const mac = request.mac.join();
    switch (request.type) {
      case DHCP_TYPE.DISCOVER: {
        const address = this.#assign(request, mac);
        return address && this.#reply(DHCP_TYPE.OFFER, address);
      }
      case DHCP_TYPE.REQUEST: {
        // Another server was chosen.
        if (request.server && !sameAddress(request.server, this.#options.server)) return undefined;
        const wanted = request.requestedAddress ?? request.clientAddress;
        const address = this.#assign(request, mac, wanted);
        if (address && sameAddress(address, wanted)) return this.#reply(DHCP_TYPE.ACK, address);
        return { type: DHCP_TYPE.NAK, address: undefined, server: this.#options.server, bootFile: "", options: [] };
      }
      case DHCP_TYPE.INFORM:
        return this.#reply(DHCP_TYPE.ACK, undefined);
      case DHCP_TYPE.RELEASE:
      case DHCP_TYPE.DECLINE:
        this.#leases.delete(mac);
        return undefined;
      default:
        return undefined;
    }
  }

  /** What the client has, what it asks for, the next free one, or the one that is out of use for longest. */
  #assign(request: DhcpRequest, mac: string, wanted = request.requestedAddress): Uint8Array | undefined {
    const known = this.#leases.get(mac)?.address;
    const address = known ?? (wanted && this.#isFree(wanted) ? wanted : this.#nextFree()) ?? this.#reclaim();
    if (!address) return undefined;
    this.#leases.delete(mac);
    this.#leases.set(mac, {
      mac: formatMac(request.mac),
      address,
      hostName: request.hostName,
      expiresMs: this.#options.nowMs() + LEASE_SECONDS * 1000,
    });
    return address;
  }

  #isFree(address: Uint8Array): boolean {
    const { network, first, last } = this.#options;
    const number = address[3] as number;
    if (number < first || number > last || !sameAddress(withLast(address, 0), withLast(network, 0))) return false;
    return [...this.#leases.values()].every((lease) => !sameAddress(lease.address, address));
  }

  #nextFree(): Uint8Array | undefined {
    const { network, first, last } = this.#options;
    for (let number = first; number <= last; number++) {
      const address = withLast(network, number);
      if (this.#isFree(address)) return address;
    }
    return undefined;
  }

  #reclaim(): Uint8Array | undefined {
    for (const [mac, lease] of this.#leases) {
      if (lease.expiresMs > this.#options.nowMs()) continue;
      this.#leases.delete(mac);
      return lease.address;
    }
    return undefined;
  }

  #reply(type: number, address: Uint8Array | undefined): DhcpReply {
    const { prefix, router, dns, server } = this.#options;
    const bootFile = this.#options.bootFile();
    const options: [number, Uint8Array][] = [[DHCP_OPTION.SUBNET_MASK, optionU32(prefixMask(prefix))]];
    if (router) options.push([DHCP_OPTION.ROUTER, router]);
    if (dns) options.push([DHCP_OPTION.DNS, dns]);
    if (address) {
      options.push([DHCP_OPTION.LEASE_SECONDS, optionU32(LEASE_SECONDS)]);
      options.push([DHCP_OPTION.RENEWAL_SECONDS, optionU32(LEASE_SECONDS / 2)]);
      options.push([DHCP_OPTION.REBINDING_SECONDS, optionU32((LEASE_SECONDS / 8) * 7)]);
    }
    if (bootFile !== "") {
      const text = new TextEncoder();
      options.push([DHCP_OPTION.TFTP_SERVER, text.encode(server.join("."))]);
      options.push([DHCP_OPTION.BOOT_FILE, text.encode(bootFile).subarray(0, 255)]);
    }
    return { type, address: address ?? UNSPECIFIED, server, bootFile, options };
  }
}

function withLast(address: Uint8Array, last: number): Uint8Array {
  return Uint8Array.of(address[0] as number, address[1] as number, address[2] as number, last);
}

function prefixMask(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}
