// Puts fragmented IPv4 packets of the guest together (RFC 791 3.2), within tight bounds: few packets at a time, none for long.
import { complement, sumWords } from "../checksum.ts";
import { ETHER_TYPE, newFrame } from "../packets/ethernet.ts";
import { type IpPacket, parseIp, putU16 } from "../packets/ip.ts";

const MAX_PACKETS = 16;
const MAX_BYTES = 65_535;
const MAX_FRAGMENTS = 64;
const LIFE_MS = 10_000;

interface Partial {
  readonly sinceMs: number;
  readonly parts: { readonly offset: number; readonly data: Uint8Array }[];
  total: number | undefined;
}

export class Reassembly {
  readonly #packets = new Map<string, Partial>();

  /** The whole packet when `packet` was its last missing fragment. */
  add(packet: IpPacket, nowMs: number): IpPacket | undefined {
    const { bytes, addresses, transport, end, fragmentOffset: offset, protocol } = packet;
    for (const [key, { sinceMs }] of this.#packets) if (nowMs - sinceMs > LIFE_MS) this.#packets.delete(key);
    const key = `${bytes.subarray(addresses, addresses + 8).join()} ${packet.identification} ${protocol}`;
    let partial = this.#packets.get(key);
    if (!partial) {
      const [oldest] = this.#packets.keys();
      if (this.#packets.size >= MAX_PACKETS && oldest !== undefined) this.#packets.delete(oldest);
      partial = { sinceMs: nowMs, parts: [], total: undefined };
      this.#packets.set(key, partial);
    }
    const data = bytes.slice(transport, end);
    const isWrong = data.length === 0 || (packet.moreFragments && data.length % 8 !== 0);
    if (isWrong || offset + data.length > MAX_BYTES || partial.parts.length >= MAX_FRAGMENTS) {
      this.#packets.delete(key);
      return undefined;
    }
    partial.parts.push({ offset, data });
    if (!packet.moreFragments) partial.total = offset + data.length;
    const whole = join(packet, partial);
    if (whole) this.#packets.delete(key);
    return whole;
  }
}

/** Undefined while something is missing; overlapping fragments make nothing (RFC 5722 says the same of IPv6). */
function join(packet: IpPacket, { parts, total }: Partial): IpPacket | undefined {
  if (total === undefined) return undefined;
  const ordered = [...parts].sort((a, b) => a.offset - b.offset);
  let at = 0;
  for (const { offset, data } of ordered) {
    if (offset !== at) return undefined;
    at += data.length;
  }
  if (at !== total || total > MAX_BYTES - 20) return undefined;
  const { bytes } = packet;
  const frame = newFrame(bytes.subarray(0, 6), bytes.subarray(6, 12), ETHER_TYPE.IPV4, 20 + total);
  frame.set(bytes.subarray(packet.headerStart, packet.headerStart + 20), 14);
  frame[14] = 0x45;
  putU16(frame, 16, 20 + total);
  putU16(frame, 20, 0);
  putU16(frame, 24, 0);
  putU16(frame, 24, complement(sumWords(frame, 14, 34)));
  for (const { offset, data } of ordered) frame.set(data, 34 + offset);
  return parseIp(frame);
}
