// A user-mode NAT: to the guest a router with DHCP, a name server and a gateway, to the host a program with ordinary sockets. No rights,
// no drivers. TCP ends here and goes on as a stream of the host; UDP and echo requests are passed on; everything else ends here.
//
// What it reaches is decided by reach-policy.ts for the address a connection is really made to. Everything from the guest is taken for
// hostile: lengths are checked where they are read, tables are bounded, and nothing here throws.
import type { Disposable } from "../../common/disposable.ts";
import { inRangeAt, sameAddress } from "../addresses.ts";
import { type AdapterEnd, Frame, type NetworkEnd } from "../frame.ts";
import { ARP_REQUEST, arpReply, parseArp } from "../packets/arp.ts";
import {
  BROADCAST_MAC,
  ETHER_TYPE,
  ETHERNET_HEADER_BYTES,
  etherType,
  isGroupAddress,
  sameBytes,
} from "../packets/ethernet.ts";
import { ICMP, ICMPV6, icmpFrame, prohibitedFrame } from "../packets/icmp.ts";
import { destinationOf, type IpPacket, PROTOCOL, parseIp, sourceOf } from "../packets/ip.ts";
import { parseUdp, udpFrame } from "../packets/udp.ts";
import { ReachPolicy } from "../reach-policy.ts";
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT, UNSPECIFIED } from "../services/dhcp-message.ts";
import { DhcpServer, type Lease } from "../services/dhcp-server.ts";
import { HTTP_PORT, HttpServer } from "../services/http-server.ts";
import { neighborAdvertisement, routerAdvertisement, solicitedAddress } from "../services/neighbor-discovery.ts";
import { TftpServer } from "../services/tftp-server.ts";
import type { AddressPlan } from "./address-plan.ts";
import type { HostEndpoint, HostNetwork, HostStreamEvents } from "./host-network.ts";
import { type PortForward, PortForwards } from "./port-forwards.ts";
import { Reassembly } from "./reassembly.ts";
import { TcpTable } from "./tcp-table.ts";
import { UdpTable } from "./udp-table.ts";

const DNS_PORT = 53;
/** A resolver asks for IPv4 and IPv6 at once, and again: two rounds in vain. */
const DNS_PATIENCE = 4;
const TICK_MS = 250;
const ADVERTISEMENT_MS = 300_000;
const MAX_NEIGHBORS = 256;
const MAX_PINGS = 8;
const PING_MS = 4000;
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const LIMITED_BROADCAST = Uint8Array.of(255, 255, 255, 255);

export interface NatSettings {
  /** What may be reached beside public addresses (`parseGrant`). */
  readonly reach: readonly string[];
  /** Name servers to ask instead of the host's. */
  readonly nameServers: readonly HostEndpoint[];
  /** False: there is nothing beyond the host (host-only networks). */
  readonly isRouter: boolean;
  /** What a machine boots from the network: the first file, and how files are read by name. */
  readonly boot?: { readonly file: string; read(name: string): Promise<Uint8Array | undefined> } | undefined;
}

export interface NatParts {
  readonly host: HostNetwork;
  readonly adapter: AdapterEnd;
  readonly plan: AddressPlan;
  readonly settings: NatSettings;
  /** Address of the only guest, where there is one: used before it has said anything. */
  readonly guestMac?: Uint8Array | undefined;
}

export class Nat implements NetworkEnd {
  readonly #host: HostNetwork;
  readonly #adapter: AdapterEnd;
  readonly #plan: AddressPlan;
  readonly #guestMac: Uint8Array;
  readonly #tcp: TcpTable;
  readonly #udp: UdpTable;
  readonly #dhcp: DhcpServer;
  readonly #tftp: TftpServer;
  readonly #http: HttpServer;
  readonly #forwards: PortForwards;
  readonly #reassembly = new Reassembly();
  /** Ethernet addresses of guests by IP address. */
  readonly #neighbors = new Map<string, Uint8Array>();
  readonly #advertisements: Disposable | undefined;
  #settings: NatSettings;
  #policy: ReachPolicy;
  #ticking: Disposable | undefined;
  #pings = 0;
  /** Which name server is asked, and how many questions it has not answered. */
  #server = 0;
  #unanswered = 0;
  #disposed = false;

  constructor({ host, adapter, plan, settings, guestMac }: NatParts) {
    this.#host = host;
    this.#adapter = adapter;
    this.#plan = plan;
    this.#settings = settings;
    this.#guestMac = guestMac ?? BROADCAST_MAC;
    this.#policy = this.#makePolicy();
    const shared = {
      host,
      adapter,
      send: (frame: Frame) => void adapter.receive(frame),
      macs: (guest: Uint8Array) => this.#macs(guest),
      translate: (destination: Uint8Array, port: number) => this.#translate(destination, port),
    };
    const read = async (name: string): Promise<Uint8Array | undefined> => this.#settings.boot?.read(name);
    this.#http = new HttpServer({ read });
    this.#tcp = new TcpTable({ ...shared, serve: (destination, port) => this.#serverAt(destination, port) });
    this.#udp = new UdpTable({
      ...shared,
      gateway: () => plan.gateway,
      prohibited: (packet) => this.#prohibited(packet),
      answered: ({ port }) => {
        if (port === DNS_PORT) this.#unanswered = 0;
      },
    });
    this.#dhcp = new DhcpServer({
      network: plan.network,
      prefix: plan.prefix,
      server: plan.gateway,
      router: settings.isRouter ? plan.gateway : undefined,
      dns: plan.dns,
      first: plan.firstLease,
      last: plan.lastLease,
      bootFile: () => this.#settings.boot?.file ?? "",
      nowMs: () => host.nowMs(),
    });
    this.#tftp = new TftpServer({
      read,
      send: (guest, guestPort, fromPort, payload) => {
        const template = { ...this.#macs(guest), source: plan.gateway, destination: guest };
        this.#send(udpFrame(template, fromPort, guestPort, payload));
        this.#keepTicking();
      },
      nowMs: () => host.nowMs(),
    });
    this.#forwards = new PortForwards({
      host,
      tcp: this.#tcp,
      udp: this.#udp,
      gateway: plan.gateway,
      guest: () => this.#firstGuest(),
    });
    if (plan.v6) this.#advertisements = host.setInterval(ADVERTISEMENT_MS, () => this.#advertise());
  }

  /** Rules and name servers from now on; open connections stay. */
  configure(settings: NatSettings): void {
    this.#settings = settings;
    this.#policy = this.#makePolicy();
  }

  /** See PortForwards.apply. */
  forward(forwards: readonly PortForward[]): Promise<{ forward: PortForward; error: unknown }[]> {
    return this.#forwards.apply(forwards);
  }

  get leases(): readonly Lease[] {
    return this.#dhcp.leases;
  }

  // NetworkEnd

  receive(frame: Frame): void {
    const { bytes } = frame;
    if (bytes.length < ETHERNET_HEADER_BYTES) return;
    const isForUs = sameBytes(bytes, 0, this.#plan.gatewayMac, 0, 6) || isGroupAddress(bytes);
    if (!isForUs) return;
    if (etherType(bytes) === ETHER_TYPE.ARP) return this.#receiveArp(bytes);
    const packet = parseIp(bytes);
    if (!packet) return;
    if (packet.fragmentOffset > 0 || packet.moreFragments) {
      const whole = packet.version === 4 ? this.#reassembly.add(packet, this.#host.nowMs()) : undefined;
      if (whole) this.#receivePacket(whole, false);
      return;
    }
    this.#receivePacket(packet, frame.checksumStart !== 0);
  }

  flush(): void {
    this.#tcp.flush();
    this.#keepTicking();
  }

  roomAgain(): void {
    this.#tcp.roomAgain();
  }

  dispose(): void {
    this.#disposed = true;
    this.#forwards.dispose();
    this.#tcp.dispose();
    this.#udp.dispose();
    this.#ticking?.dispose();
    this.#advertisements?.dispose();
  }

  // Packets

  #receivePacket(packet: IpPacket, isChecked: boolean): void {
    const { protocol } = packet;
    if (protocol === PROTOCOL.UDP && packet.version === 4 && this.#receiveDhcp(packet)) return;
    if (protocol === PROTOCOL.ICMPV6 && packet.version === 6 && this.#receiveDiscovery(packet)) return;
    if (!this.#isGuest(packet)) return;
    this.#learn(packet);
    if (protocol === PROTOCOL.TCP) this.#tcp.receive(packet, isChecked);
    else if (protocol === PROTOCOL.UDP) this.#receiveUdp(packet, isChecked);
    else if (protocol === PROTOCOL.ICMP || protocol === PROTOCOL.ICMPV6) this.#receiveEcho(packet);
  }

  #receiveUdp(packet: IpPacket, isChecked: boolean): void {
    // Broadcasts and multicasts have nobody to hear them.
    if (isGroupAddress(packet.bytes)) return;
    if (this.#settings.boot && this.#receiveTftp(packet)) return;
    this.#udp.receive(packet, isChecked);
  }

  #receiveTftp(packet: IpPacket): boolean {
    if (!sameAddress(destinationOf(packet), this.#plan.gateway)) return false;
    const datagram = parseUdp(packet);
    if (!datagram || !this.#tftp.owns(datagram.destinationPort)) return false;
    this.#tftp.receive(sourceOf(packet), datagram.sourcePort, datagram.destinationPort, datagram.payload);
    return true;
  }

  #receiveArp(bytes: Uint8Array): void {
    const request = parseArp(bytes);
    if (!request) return;
    if (this.#inNetwork(request.senderAddress)) this.#remember(request.senderAddress, request.senderMac);
    const { gateway, dns, gatewayMac } = this.#plan;
    const isOurs =
      sameAddress(request.targetAddress, gateway) || (dns !== undefined && sameAddress(request.targetAddress, dns));
    if (request.operation !== ARP_REQUEST || !isOurs) return;
    this.#send(new Frame(arpReply(request, gatewayMac)));
  }

  #receiveDhcp(packet: IpPacket): boolean {
    const datagram = parseUdp(packet);
    if (datagram?.destinationPort !== DHCP_SERVER_PORT) return false;
    const answer = this.#dhcp.answer(datagram.payload);
    if (!answer) return true;
    const { request, reply, isNak } = answer;
    // RFC 2131 4.1: to the address the client has, else to everybody: not all can hear their address before they have it.
    const hasAddress = !isNak && !sameAddress(request.clientAddress, UNSPECIFIED);
    this.#send(
      udpFrame(
        {
          sourceMac: this.#plan.gatewayMac,
          destinationMac: hasAddress ? request.mac : BROADCAST_MAC,
          source: this.#plan.gateway,
          destination: hasAddress ? request.clientAddress : LIMITED_BROADCAST,
        },
        DHCP_SERVER_PORT,
        DHCP_CLIENT_PORT,
        reply,
      ),
    );
    return true;
  }

  #receiveDiscovery(packet: IpPacket): boolean {
    const { v6, gatewayMac, linkLocal } = this.#plan;
    const type = packet.bytes[packet.transport];
    if (!v6 || packet.transport >= packet.end || type === ICMPV6.ECHO) return v6 === undefined;
    if (type === ICMPV6.ROUTER_SOLICITATION) this.#advertise();
    if (type !== ICMPV6.NEIGHBOR_SOLICITATION) return true;
    const wanted = solicitedAddress(packet);
    const source = sourceOf(packet);
    const isProbe = source.every((byte) => byte === 0);
    if (!wanted || isProbe || ![v6.gateway, v6.dns, linkLocal].some((own) => sameAddress(own, wanted))) return true;
    const mac = packet.bytes.slice(6, 12);
    this.#remember(source, mac);
    this.#send(neighborAdvertisement(wanted, gatewayMac, { mac, address: source }));
    return true;
  }

  #receiveEcho(packet: IpPacket): void {
    const { bytes, transport, end, version } = packet;
    const request = version === 4 ? ICMP.ECHO : ICMPV6.ECHO;
    if (end - transport < 8 || bytes[transport] !== request) return;
    const guest = sourceOf(packet);
    const destination = destinationOf(packet);
    const body = bytes.slice(transport + 4, end);
    const answer = () => {
      if (this.#disposed) return;
      const template = { ...this.#macs(guest), source: destination, destination: guest };
      this.#send(icmpFrame(template, version === 4 ? ICMP.ECHO_REPLY : ICMPV6.ECHO_REPLY, 0, body));
    };
    if (this.#isOwn(destination)) return answer();
    if (!this.#settings.isRouter || !this.#policy.allows(destination, 0)) return this.#prohibited(packet);
    if (this.#pings >= MAX_PINGS) return;
    this.#pings++;
    void this.#host.ping(destination, PING_MS).then((isAnswered) => {
      this.#pings--;
      if (isAnswered) answer();
    });
  }

  #prohibited(packet: IpPacket): void {
    const guest = sourceOf(packet);
    const source = packet.version === 4 ? this.#plan.gateway : this.#plan.linkLocal;
    this.#send(prohibitedFrame({ ...this.#macs(guest), source, destination: guest }, packet));
  }

  #advertise(): void {
    const { v6, gatewayMac, linkLocal } = this.#plan;
    if (!v6) return;
    const isDefaultRouter = this.#settings.isRouter && this.#host.hasIpv6;
    this.#send(routerAdvertisement({ mac: gatewayMac, linkLocal, prefix: v6.prefix, dns: v6.dns, isDefaultRouter }));
  }

  #send(frame: Frame): void {
    this.#adapter.receive(frame);
  }

  // Addresses

  /** Where a guest's packet really goes. */
  #translate(destination: Uint8Array, port: number): HostEndpoint | undefined {
    const { gateway, dns, v6 } = this.#plan;
    if (sameAddress(destination, gateway) || (v6 && sameAddress(destination, v6.gateway))) {
      return this.#policy.allowsHost(port) ? { address: LOOPBACK, port } : undefined;
    }
    if ((dns && sameAddress(destination, dns)) || (v6 && sameAddress(destination, v6.dns))) {
      return port === DNS_PORT ? this.#nameServer() : undefined;
    }
    if (!this.#settings.isRouter || this.#inNetwork(destination)) return undefined;
    return this.#policy.allows(destination, port) ? { address: destination, port } : undefined;
  }

  /** What boots by HTTP asks the gateway, as by TFTP; a server of the host that may be reached there goes first. */
  #serverAt(destination: Uint8Array, port: number) {
    const isBoot = this.#settings.boot && port === HTTP_PORT && sameAddress(destination, this.#plan.gateway);
    return isBoot ? (events: HostStreamEvents) => this.#http.connect(events) : undefined;
  }

  /** The one that answered last; after some questions in vain, the next. */
  #nameServer(): HostEndpoint | undefined {
    const own = this.#settings.nameServers;
    const servers = own.length > 0 ? own : this.#host.nameServers();
    if (++this.#unanswered > DNS_PATIENCE) {
      this.#server++;
      this.#unanswered = 1;
    }
    return servers[this.#server % servers.length];
  }

  #makePolicy(): ReachPolicy {
    return new ReachPolicy(this.#settings.reach, () => this.#host.ownAddresses());
  }

  #isOwn(address: Uint8Array): boolean {
    const { gateway, dns, v6, linkLocal } = this.#plan;
    return [gateway, dns, v6?.gateway, v6?.dns, linkLocal].some(
      (own) => own !== undefined && sameAddress(own, address),
    );
  }

  #inNetwork(address: Uint8Array): boolean {
    const { network, prefix, v6 } = this.#plan;
    if (inRangeAt(address, 0, address.length, { address: network, prefix })) return true;
    return v6 !== undefined && inRangeAt(address, 0, address.length, { address: v6.prefix, prefix: 64 });
  }

  /** Packets under a foreign name are not passed on. */
  #isGuest({ bytes, addresses, addressBytes }: IpPacket): boolean {
    const { network, prefix, v6 } = this.#plan;
    if (inRangeAt(bytes, addresses, addressBytes, { address: network, prefix })) return true;
    if (!v6 || addressBytes !== 16) return false;
    const isLinkLocal = bytes[addresses] === 0xfe && ((bytes[addresses + 1] as number) & 0xc0) === 0x80;
    return isLinkLocal || inRangeAt(bytes, addresses, 16, { address: v6.prefix, prefix: 64 });
  }

  #learn({ bytes, addresses, addressBytes }: IpPacket): void {
    const key = keyAt(bytes, addresses, addressBytes);
    const known = this.#neighbors.get(key);
    if (!known || !sameBytes(known, 0, bytes, 6, 6)) this.#setNeighbor(key, bytes.slice(6, 12));
  }

  #remember(address: Uint8Array, mac: Uint8Array): void {
    this.#setNeighbor(keyAt(address, 0, address.length), mac);
  }

  #setNeighbor(key: string, mac: Uint8Array): void {
    this.#neighbors.delete(key);
    const [oldest] = this.#neighbors.keys();
    if (this.#neighbors.size >= MAX_NEIGHBORS && oldest !== undefined) this.#neighbors.delete(oldest);
    this.#neighbors.set(key, mac);
  }

  #macs(guest: Uint8Array): { sourceMac: Uint8Array; destinationMac: Uint8Array } {
    const destinationMac = this.#neighbors.get(keyAt(guest, 0, guest.length)) ?? this.#guestMac;
    return { sourceMac: this.#plan.gatewayMac, destinationMac };
  }

  /** Whom a port forward without address means: where the guest was last heard, else the first address that is given out. */
  #firstGuest(): Uint8Array {
    const { network, firstLease } = this.#plan;
    for (const [key, mac] of [...this.#neighbors].reverse()) {
      if (key.length !== 4 || !sameBytes(mac, 0, this.#guestMac, 0, 6)) continue;
      return Uint8Array.from(key, (character) => character.charCodeAt(0));
    }
    const [lease] = this.#dhcp.leases;
    return (
      lease?.address ?? Uint8Array.of(network[0] as number, network[1] as number, network[2] as number, firstLease)
    );
  }

  get #isBusy(): boolean {
    return this.#tcp.size > 0 || this.#udp.size > 0 || this.#tftp.size > 0;
  }

  /** Timers run only while there is something to time: an idle machine costs nothing. */
  #keepTicking(): void {
    if (this.#ticking || this.#disposed || !this.#isBusy) return;
    this.#ticking = this.#host.setInterval(TICK_MS, () => {
      this.#tcp.tick(this.#adapter.isIdle);
      this.#udp.tick();
      this.#tftp.tick();
      if (this.#isBusy) return;
      this.#ticking?.dispose();
      this.#ticking = undefined;
    });
  }
}

function keyAt(bytes: Uint8Array, at: number, length: number): string {
  let key = "";
  for (let i = at; i < at + length; i++) key += String.fromCharCode(bytes[i] as number);
  return key;
}
