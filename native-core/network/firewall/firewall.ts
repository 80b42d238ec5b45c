// The stateful firewall of one adapter: what a rule let through in one direction is answered in the other.
//
// ARP, DHCP and IPv6 neighbour discovery always pass: without them there is no network to have rules for. Everything that is not IP
// follows the default of its direction.
import type { Frame } from "../frame.ts";
import { ETHER_TYPE, ETHERNET_HEADER_BYTES, etherType } from "../packets/ethernet.ts";
import { ICMPV6 } from "../packets/icmp.ts";
import { type IpPacket, PROTOCOL, parseIp, u16 } from "../packets/ip.ts";
import { type Direction, type FirewallSettings, RuleSet, type Traffic } from "./rules.ts";

const MAX_FLOWS = 8192;
/** BOOTP and DHCPv6: client and server ports. */
const DHCP_PORTS: ReadonlySet<number> = new Set([67, 68, 546, 547]);

export class Firewall {
  /** Flows that were let through, by the packet that opened them; least recently opened first. */
  readonly #flows = new Map<string, Traffic>();
  #rules: RuleSet;
  deniedFrames = 0;

  constructor(settings: FirewallSettings) {
    this.#rules = new RuleSet(settings);
  }

  /** New rules hold at once, also for what is under way. */
  configure(settings: FirewallSettings): void {
    this.#rules = new RuleSet(settings);
    for (const [key, traffic] of this.#flows) if (this.#rules.decide(traffic) === "deny") this.#flows.delete(key);
  }

  passes(frame: Frame, direction: Direction): boolean {
    if (this.#rules.isOpen || this.#decide(frame.bytes, direction)) return true;
    this.deniedFrames++;
    return false;
  }

  #decide(bytes: Uint8Array, direction: Direction): boolean {
    if (bytes.length < ETHERNET_HEADER_BYTES) return false;
    if (etherType(bytes) === ETHER_TYPE.ARP) return true;
    const packet = parseIp(bytes);
    if (!packet) return this.#rules.defaultOf(direction) === "allow";
    const ports = portsOf(packet);
    if (isLinkService(packet, ports)) return true;
    const key = flowKey(packet, direction, ports);
    if (this.#flows.has(key)) return true;
    const traffic: Traffic = {
      direction,
      protocol: packet.protocol,
      ...otherEnd(packet, direction),
      port: ports?.[1],
    };
    if (this.#rules.decide(traffic) === "deny") return false;
    const [oldest] = this.#flows.keys();
    if (this.#flows.size >= MAX_FLOWS && oldest !== undefined) this.#flows.delete(oldest);
    this.#flows.set(key, traffic);
    return true;
  }
}

/** Source and destination port, where a packet has them. */
function portsOf({ bytes, protocol, transport, end, fragmentOffset }: IpPacket): readonly [number, number] | undefined {
  if ((protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP) || fragmentOffset > 0 || end - transport < 4) {
    return undefined;
  }
  return [u16(bytes, transport), u16(bytes, transport + 2)];
}

function isLinkService(packet: IpPacket, ports: readonly [number, number] | undefined): boolean {
  const { protocol, bytes, transport, end, version, hopLimit } = packet;
  if (protocol === PROTOCOL.UDP) return ports !== undefined && DHCP_PORTS.has(ports[0]) && DHCP_PORTS.has(ports[1]);
  // RFC 4861 7.1: neighbour discovery comes with a hop limit that only neighbours can give it.
  if (protocol !== PROTOCOL.ICMPV6 || version !== 6 || hopLimit !== 255 || transport >= end) return false;
  const type = bytes[transport] as number;
  return type >= ICMPV6.ROUTER_SOLICITATION && type <= ICMPV6.NEIGHBOR_ADVERTISEMENT;
}

/** A copy of the other end's address: flows outlive their frames. */
function otherEnd({ bytes, addresses, addressBytes }: IpPacket, direction: Direction) {
  const at = direction === "out" ? addresses + addressBytes : addresses;
  return { bytes: bytes.slice(at, at + addressBytes), addressAt: 0, addressBytes };
}

/** The same for both directions of a flow. */
function flowKey(packet: IpPacket, direction: Direction, ports: readonly [number, number] | undefined): string {
  const { bytes, addresses, addressBytes, protocol } = packet;
  const [guestAt, otherAt] =
    direction === "out" ? [addresses, addresses + addressBytes] : [addresses + addressBytes, addresses];
  const [source, destination] = ports ?? [0, 0];
  const [guestPort, otherPort] = direction === "out" ? [source, destination] : [destination, source];
  let key = String.fromCharCode(protocol, guestPort, otherPort);
  for (let i = 0; i < addressBytes; i++) key += String.fromCharCode(bytes[guestAt + i] as number);
  for (let i = 0; i < addressBytes; i++) key += String.fromCharCode(bytes[otherAt + i] as number);
  return key;
}
