// What an adapter's offload engine does, for receivers that have none: finishing checksums and cutting large TCP segments.
import { complement, sumWords } from "./checksum.ts";
import { Frame } from "./frame.ts";
import { PROTOCOL, parseIp, pseudoSumOf, putU16, putU32, u16, u32 } from "./packets/ip.ts";
import { TCP_CHECKSUM_OFFSET, TCP_FLAG, TCP_HEADER_BYTES } from "./packets/tcp.ts";

const TCP_FLAG_CWR = 0x80;

/** The same frame with its transport checksum computed. */
export function withChecksum(frame: Frame): Frame {
  const { bytes, checksumStart, checksumOffset } = frame;
  const at = checksumStart + checksumOffset;
  if (checksumStart === 0 || at + 2 > bytes.length) return frame;
  const copy = bytes.slice();
  // The field takes part in the sum: it holds that of the pseudo-header. An all-zero result would mean "none" for UDP.
  putU16(copy, at, complement(sumWords(bytes, checksumStart, bytes.length)) || 0xffff);
  return new Frame(copy, 0, 0, frame.segmentBytes);
}

/**
 * Cuts a large TCP segment into packets with headers of their own, all checksums complete. A frame that says it is one and is not
 * yields nothing.
 */
export function cut(frame: Frame): Frame[] {
  if (frame.segmentBytes === 0) return [withChecksum(frame)];
  const packet = parseIp(frame.bytes);
  if (!packet || packet.protocol !== PROTOCOL.TCP || packet.end - packet.transport < TCP_HEADER_BYTES) return [];
  const { bytes, transport, headerStart, version, end } = packet;
  const payloadStart = transport + ((bytes[transport + 12] as number) >>> 4) * 4;
  if (payloadStart < transport + TCP_HEADER_BYTES || payloadStart > end) return [];
  const sequence = u32(bytes, transport + 4);
  const flags = bytes[transport + 13] as number;
  const frames: Frame[] = [];
  for (let at = payloadStart; at < end || frames.length === 0; at += frame.segmentBytes) {
    const next = Math.min(end, at + frame.segmentBytes);
    const part = new Uint8Array(payloadStart + next - at);
    part.set(bytes.subarray(0, payloadStart));
    part.set(bytes.subarray(at, next), payloadStart);
    if (version === 4) {
      putU16(part, headerStart + 2, part.length - headerStart);
      putU16(part, headerStart + 4, u16(bytes, headerStart + 4) + frames.length);
      putU16(part, headerStart + 10, 0);
      putU16(part, headerStart + 10, complement(sumWords(part, headerStart, transport)));
    } else {
      putU16(part, headerStart + 4, part.length - headerStart - 40);
    }
    putU32(part, transport + 4, (sequence + at - payloadStart) >>> 0);
    // FIN and PSH belong to the last packet, CWR to the first (RFC 3168 6.1.2).
    const dropped = (next < end ? TCP_FLAG.FIN | TCP_FLAG.PSH : 0) | (frames.length > 0 ? TCP_FLAG_CWR : 0);
    part[transport + 13] = flags & ~dropped;
    putU16(part, transport + TCP_CHECKSUM_OFFSET, 0);
    const sum = sumWords(part, transport, part.length, pseudoSum(part, transport, headerStart, version));
    putU16(part, transport + TCP_CHECKSUM_OFFSET, complement(sum));
    frames.push(new Frame(part));
  }
  return frames;
}

function pseudoSum(part: Uint8Array, transport: number, headerStart: number, version: 4 | 6): number {
  const plain = version === 4 ? 20 : 40;
  if (transport - headerStart === plain) return pseudoSumOf(part, transport, PROTOCOL.TCP);
  // With options in between, the addresses don't end where the transport begins.
  const [start, length] = version === 4 ? [headerStart + 12, 8] : [headerStart + 8, 32];
  return sumWords(part, start, start + length) + PROTOCOL.TCP + (part.length - transport);
}
