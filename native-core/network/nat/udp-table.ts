// UDP through a NAT: one socket of the host for each port of a guest, open while it is used. Datagrams come back only from where the
// guest has sent to (port-restricted), and a name server's answers look as if the NAT had given them.

import { sameAddress } from "../addresses.ts";
import type { Frame } from "../frame.ts";
import { destinationOf, type IpPacket, ipHeaderChecksumOk, sourceOf, transportChecksumOk, u16 } from "../packets/ip.ts";
import { parseUdp, UDP_CHECKSUM_OFFSET, UDP_HEADER_BYTES, udpFrame } from "../packets/udp.ts";
import { fragments } from "./fragment.ts";
import type { HostDatagrams, HostEndpoint, HostNetwork } from "./host-network.ts";

const MAX_MAPPINGS = 512;
const MAX_PEERS = 256;
const IDLE_MS = 60_000;
/** A question to a name server is answered once. */
const DNS_IDLE_MS = 10_000;
const DNS_PORT = 53;

/** The other end: where it really is, and as what the guest knows it. */
interface Peer {
  readonly real: HostEndpoint;
  readonly seen: HostEndpoint;
}

interface Mapping {
  readonly guest: HostEndpoint;
  readonly socket: HostDatagrams;
  readonly peers: Map<string, Peer>;
  /** Of a port forward: stays, and takes datagrams from anybody. */
  readonly isForward: boolean;
  usedMs: number;
  idleMs: number;
}

export interface UdpTableParts {
  readonly host: HostNetwork;
  readonly gateway: () => Uint8Array;
  send(frame: Frame): void;
  macs(guestAddress: Uint8Array): { sourceMac: Uint8Array; destinationMac: Uint8Array };
  translate(destination: Uint8Array, port: number): HostEndpoint | undefined;
  /** Something came back from there, named as the guest knows it. */
  answered(seen: HostEndpoint): void;
  /** The guest is told that it may not send there. */
  prohibited(packet: IpPacket): void;
}

export class UdpTable {
  readonly #parts: UdpTableParts;
  readonly #mappings = new Map<string, Mapping>();
  #nextForwardPort = 40_000;

  constructor(parts: UdpTableParts) {
    this.#parts = parts;
  }

  /** Mappings that time out by themselves. */
  get size(): number {
    let size = 0;
    for (const { isForward } of this.#mappings.values()) if (!isForward) size++;
    return size;
  }

  receive(packet: IpPacket, isChecked: boolean): void {
    const datagram = parseUdp(packet);
    if (!datagram || packet.end - packet.transport < UDP_HEADER_BYTES) return;
    const hasChecksum = u16(packet.bytes, packet.transport + UDP_CHECKSUM_OFFSET) !== 0;
    if (!isChecked && (!ipHeaderChecksumOk(packet) || (hasChecksum && !transportChecksumOk(packet)))) return;
    const guest = { address: sourceOf(packet), port: datagram.sourcePort };
    const seen = { address: destinationOf(packet), port: datagram.destinationPort };
    const forwarded = this.#forwardPeer(guest, seen);
    const real = forwarded ?? this.#parts.translate(seen.address, seen.port);
    if (!real) return this.#parts.prohibited(packet);
    const mapping = this.#mappingFor(guest, real.address.length === 4 ? 4 : 6, forwarded !== undefined);
    if (!mapping) return;
    mapping.usedMs = this.#parts.host.nowMs();
    mapping.idleMs = seen.port === DNS_PORT ? DNS_IDLE_MS : IDLE_MS;
    remember(mapping, real, seen);
    mapping.socket.send(datagram.payload, real.address, real.port);
  }

  /** Datagrams to a port of the host go to the guest; each sender becomes a port of the gateway. */
  async forward(on: HostEndpoint, to: HostEndpoint): Promise<() => void> {
    const key = `forward ${keyOf(to, on.address.length === 4 ? 4 : 6)}`;
    const socket = await this.#parts.host.bindDatagrams(on, (payload, address, port) => {
      const mapping = this.#mappings.get(key);
      if (!mapping) return;
      const real = { address, port };
      const known = [...mapping.peers.values()].find((peer) => sameEndpoint(peer.real, real));
      const seen = known?.seen ?? { address: this.#parts.gateway(), port: this.#takeForwardPort() };
      remember(mapping, real, seen);
      this.#toGuest(mapping.guest, seen, payload);
    });
    this.#mappings.set(key, {
      guest: to,
      socket,
      peers: new Map(),
      isForward: true,
      usedMs: 0,
      idleMs: Number.POSITIVE_INFINITY,
    });
    return () => {
      this.#mappings.delete(key);
      socket.close();
    };
  }

  /** Closes what nobody used for a while. */
  tick(): void {
    const nowMs = this.#parts.host.nowMs();
    for (const [key, mapping] of this.#mappings) {
      if (nowMs - mapping.usedMs <= mapping.idleMs || mapping.isForward) continue;
      mapping.socket.close();
      this.#mappings.delete(key);
    }
  }

  dispose(): void {
    for (const { socket } of this.#mappings.values()) socket.close();
    this.#mappings.clear();
  }

  /** Where an answer of the guest to a forwarded datagram goes. */
  #forwardPeer(guest: HostEndpoint, seen: HostEndpoint): HostEndpoint | undefined {
    for (const family of [4, 6] as const) {
      const mapping = this.#mappings.get(`forward ${keyOf(guest, family)}`);
      for (const peer of mapping?.peers.values() ?? []) if (sameEndpoint(peer.seen, seen)) return peer.real;
    }
    return undefined;
  }

  #mappingFor(guest: HostEndpoint, family: 4 | 6, isForward: boolean): Mapping | undefined {
    const key = `${isForward ? "forward " : ""}${keyOf(guest, family)}`;
    const known = this.#mappings.get(key);
    if (known || isForward) return known;
    if (this.#mappings.size >= MAX_MAPPINGS && !this.#dropOldest()) return undefined;
    const socket = this.#parts.host.openDatagrams(family, (payload, address, port) => {
      const peer = mapping.peers.get(peerKey({ address, port }));
      if (!peer || this.#mappings.get(key) !== mapping) return;
      mapping.usedMs = this.#parts.host.nowMs();
      this.#parts.answered(peer.seen);
      this.#toGuest(guest, peer.seen, payload);
    });
    const mapping: Mapping = { guest, socket, peers: new Map(), isForward, usedMs: 0, idleMs: IDLE_MS };
    this.#mappings.set(key, mapping);
    return mapping;
  }

  #dropOldest(): boolean {
    let oldest: [string, Mapping] | undefined;
    for (const entry of this.#mappings) {
      if (!entry[1].isForward && (!oldest || entry[1].usedMs < oldest[1].usedMs)) oldest = entry;
    }
    if (!oldest) return false;
    this.#mappings.delete(oldest[0]);
    oldest[1].socket.close();
    return true;
  }

  #toGuest(guest: HostEndpoint, from: HostEndpoint, payload: Uint8Array): void {
    const template = { ...this.#parts.macs(guest.address), source: from.address, destination: guest.address };
    const frame = udpFrame(template, from.port, guest.port, payload);
    // IPv6 has no fragments on this way: a datagram too large for the wire is lost.
    if (guest.address.length === 4) for (const part of fragments(frame)) this.#parts.send(part);
    else if (frame.bytes.length <= 1514) this.#parts.send(frame);
  }

  #takeForwardPort(): number {
    this.#nextForwardPort = this.#nextForwardPort >= 59_999 ? 40_000 : this.#nextForwardPort + 1;
    return this.#nextForwardPort;
  }
}

function remember(mapping: Mapping, real: HostEndpoint, seen: HostEndpoint): void {
  const key = peerKey(real);
  if (mapping.peers.has(key)) mapping.peers.delete(key);
  else if (mapping.peers.size >= MAX_PEERS) {
    const [oldest] = mapping.peers.keys();
    if (oldest !== undefined) mapping.peers.delete(oldest);
  }
  mapping.peers.set(key, { real, seen });
}

function keyOf({ address, port }: HostEndpoint, family: 4 | 6): string {
  return `${family} ${port} ${address.join()}`;
}

function peerKey({ address, port }: HostEndpoint): string {
  return `${port} ${address.join()}`;
}

function sameEndpoint(a: HostEndpoint, b: HostEndpoint): boolean {
  return a.port === b.port && sameAddress(a.address, b.address);
}
