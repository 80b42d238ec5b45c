// All TCP connections of a NAT: finds the one a segment belongs to, opens new ones within limits, and drives what is timed or waiting.
import type { Frame } from "../frame.ts";
import type { IpPacket } from "../packets/ip.ts";
import { destinationOf, ipHeaderChecksumOk, sourceOf, transportChecksumOk } from "../packets/ip.ts";
import { parseTcp, TCP_FLAG, type TcpSegment, tcpFrame } from "../packets/tcp.ts";
import type { HostEndpoint, HostNetwork, HostStream, HostStreamEvents } from "./host-network.ts";
import { TcpConnection, type TcpOwner } from "./tcp-connection.ts";

/** More than any guest needs that does not scan the world. */
const MAX_CONNECTIONS = 1024;
/** New connections per second, and at once: a guest that scans costs the host no more than that. */
const OPENINGS_PER_SECOND = 500;
const OPENINGS_BURST = 1000;
const MAX_BUFFER_BYTES = 1 << 20;
const MIN_BUFFER_BYTES = 64 * 1024;
/** What all connections together may hold in each direction. */
const TOTAL_BUFFER_BYTES = 128 << 20;

export interface TcpTableParts {
  readonly host: HostNetwork;
  readonly adapter: { readonly hasRoom: boolean };
  send(frame: Frame): void;
  macs(guestAddress: Uint8Array): { sourceMac: Uint8Array; destinationMac: Uint8Array };
  /** Where a connection of the guest really goes; undefined: nowhere it may go. */
  translate(destination: Uint8Array, port: number): HostEndpoint | undefined;
  /** A server of the NAT's own at that place. */
  serve(destination: Uint8Array, port: number): ((events: HostStreamEvents) => HostStream) | undefined;
}

export class TcpTable implements TcpOwner {
  readonly #parts: TcpTableParts;
  readonly #connections = new Map<string, TcpConnection>();
  /** Heard from since the last `flush`. */
  #burst: TcpConnection[] = [];
  #pump: TcpConnection[] = [];
  #last: TcpConnection | undefined;
  #nextPort = 32_768;
  #openings = OPENINGS_BURST;
  #openingsMs = 0;

  constructor(parts: TcpTableParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#connections.size;
  }

  receive(packet: IpPacket, isChecked: boolean): void {
    const segment = parseTcp(packet);
    if (!segment || (!isChecked && !(ipHeaderChecksumOk(packet) && transportChecksumOk(packet)))) return;
    const key = keyOf(packet);
    const connection = this.#last?.key === key ? this.#last : this.#connections.get(key);
    if (connection) {
      this.#last = connection;
      connection.receive(segment, packet.bytes.subarray(segment.payloadStart, segment.payloadEnd));
    } else if ((segment.flags & (TCP_FLAG.SYN | TCP_FLAG.ACK | TCP_FLAG.RST)) === TCP_FLAG.SYN) {
      this.#open(packet, segment, key);
    } else if (!(segment.flags & TCP_FLAG.RST)) {
      this.#refuse(packet, segment);
    }
  }

  /** Calls the guest for a connection that the host accepted. Undefined when there are too many. */
  call(stream: HostStream, from: HostEndpoint, to: HostEndpoint): HostStreamEvents | undefined {
    const guest = { guestAddress: to.address, guestPort: to.port, remoteAddress: from.address };
    for (let tries = 0; tries < 64; tries++) {
      const remotePort = this.#takePort();
      const key = flowKey(to.address, from.address, to.port, remotePort);
      if (this.#connections.has(key)) continue;
      if (this.#connections.size >= MAX_CONNECTIONS) return undefined;
      const connection = new TcpConnection(this, key, { ...guest, remotePort }, this.#randomSequence());
      connection.stream = stream;
      this.#connections.set(key, connection);
      connection.call();
      return connection;
    }
    return undefined;
  }

  /** The guest's burst is over. */
  flush(): void {
    if (this.#burst.length === 0) return;
    const waiting = this.#burst;
    this.#burst = [];
    for (const connection of waiting) connection.burstEnded();
  }

  roomAgain(): void {
    const waiting = this.#pump;
    this.#pump = [];
    for (const connection of waiting) connection.pump();
  }

  /** A few times a second. `guestRuns`: whether the adapter took what was sent before; a guest that stands still misses nothing. */
  tick(guestRuns: boolean): void {
    if (!guestRuns) return;
    const nowMs = this.#parts.host.nowMs();
    for (const connection of [...this.#connections.values()]) connection.tick(nowMs);
  }

  dispose(): void {
    for (const connection of [...this.#connections.values()]) connection.abort();
  }

  #open(packet: IpPacket, segment: TcpSegment, key: string): void {
    const remoteAddress = destinationOf(packet);
    const connect = this.#connector(remoteAddress, segment.destinationPort);
    if (!connect || this.#connections.size >= MAX_CONNECTIONS) return this.#refuse(packet, segment);
    // Not refused: the guest asks again in a second.
    if (!this.#takeOpening()) return;
    const ends = {
      guestAddress: sourceOf(packet),
      guestPort: segment.sourcePort,
      remoteAddress,
      remotePort: segment.destinationPort,
    };
    const connection = new TcpConnection(this, key, ends, this.#randomSequence());
    this.#connections.set(key, connection);
    connection.opened(segment);
    connection.stream = connect(connection);
  }

  #connector(address: Uint8Array, port: number): ((events: HostStreamEvents) => HostStream) | undefined {
    const { host, serve, translate } = this.#parts;
    const target = translate(address, port);
    return target ? (events) => host.connect(target, events) : serve(address, port);
  }

  /** RFC 9293 3.10.7.1: a segment for no connection is answered with a reset. */
  #refuse(
    packet: IpPacket,
    { sequence, acknowledgment, flags, sourcePort, destinationPort, ...rest }: TcpSegment,
  ): void {
    const guest = sourceOf(packet);
    const length =
      rest.payloadEnd - rest.payloadStart + (flags & TCP_FLAG.SYN ? 1 : 0) + (flags & TCP_FLAG.FIN ? 1 : 0);
    const hasAck = (flags & TCP_FLAG.ACK) !== 0;
    this.send(
      tcpFrame(
        { ...this.macs(guest), source: destinationOf(packet), destination: guest },
        {
          sourcePort: destinationPort,
          destinationPort: sourcePort,
          sequence: hasAck ? acknowledgment : 0,
          acknowledgment: hasAck ? 0 : (sequence + length) >>> 0,
          flags: hasAck ? TCP_FLAG.RST : TCP_FLAG.RST | TCP_FLAG.ACK,
          window: 0,
        },
      ),
    );
  }

  // What connections use

  get hasRoom(): boolean {
    return this.#parts.adapter.hasRoom;
  }

  get bufferBytes(): number {
    const share = Math.floor(TOTAL_BUFFER_BYTES / Math.max(1, this.#connections.size));
    return Math.max(MIN_BUFFER_BYTES, Math.min(MAX_BUFFER_BYTES, share));
  }

  nowMs(): number {
    return this.#parts.host.nowMs();
  }

  macs(guestAddress: Uint8Array): { sourceMac: Uint8Array; destinationMac: Uint8Array } {
    return this.#parts.macs(guestAddress);
  }

  send(frame: Frame): void {
    this.#parts.send(frame);
  }

  workLater(connection: TcpConnection): void {
    if (connection.inBurst) return;
    connection.inBurst = true;
    this.#burst.push(connection);
  }

  pumpLater(connection: TcpConnection): void {
    if (connection.pumpPending) return;
    connection.pumpPending = true;
    this.#pump.push(connection);
  }

  closed(connection: TcpConnection): void {
    this.#connections.delete(connection.key);
    if (this.#last === connection) this.#last = undefined;
  }

  #takeOpening(): boolean {
    const nowMs = this.nowMs();
    const gained = ((nowMs - this.#openingsMs) * OPENINGS_PER_SECOND) / 1000;
    this.#openings = Math.min(OPENINGS_BURST, this.#openings + gained);
    this.#openingsMs = nowMs;
    if (this.#openings < 1) return false;
    this.#openings--;
    return true;
  }

  #randomSequence(): number {
    const bytes = new Uint8Array(4);
    this.#parts.host.random(bytes);
    return new DataView(bytes.buffer).getUint32(0);
  }

  #takePort(): number {
    this.#nextPort = this.#nextPort >= 60_999 ? 32_768 : this.#nextPort + 1;
    return this.#nextPort;
  }
}

/** Guest address, remote address, guest port, remote port: as they lie in a packet from the guest. */
function keyOf({ bytes, addresses, addressBytes, transport }: IpPacket): string {
  let key = "";
  for (let at = addresses; at < addresses + 2 * addressBytes; at++) key += String.fromCharCode(bytes[at] as number);
  for (let at = transport; at < transport + 4; at++) key += String.fromCharCode(bytes[at] as number);
  return key;
}

function flowKey(guest: Uint8Array, remote: Uint8Array, guestPort: number, remotePort: number): string {
  const ports = [guestPort >>> 8, guestPort & 0xff, remotePort >>> 8, remotePort & 0xff];
  return String.fromCharCode(...guest, ...remote, ...ports);
}
