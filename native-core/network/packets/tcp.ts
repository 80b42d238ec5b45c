// TCP headers (RFC 9293 3.1) with the two options that matter here: maximum segment size and window scale (RFC 7323 2).

import { fold } from "../checksum.ts";
import { Frame } from "../frame.ts";
import { type IpPacket, type IpTemplate, newIpFrame, PROTOCOL, pseudoSumOf, putU16, putU32, u16, u32 } from "./ip.ts";

export const TCP_FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;
export const TCP_HEADER_BYTES = 20;
export const TCP_CHECKSUM_OFFSET = 16;

const OPTION = { END: 0, NOP: 1, MSS: 2, WINDOW_SCALE: 3 } as const;
const MAX_WINDOW_SCALE = 14;

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  /** As it is in the header, unscaled. */
  readonly window: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  readonly mss: number | undefined;
  readonly windowScale: number | undefined;
}

/** Undefined when the header does not fit its packet. */
export function parseTcp({ bytes, transport, end }: IpPacket): TcpSegment | undefined {
  if (end - transport < TCP_HEADER_BYTES) return undefined;
  const headerBytes = ((bytes[transport + 12] as number) >>> 4) * 4;
  if (headerBytes < TCP_HEADER_BYTES || transport + headerBytes > end) return undefined;
  const flags = bytes[transport + 13] as number;
  const options =
    flags & TCP_FLAG.SYN ? parseOptions(bytes, transport + TCP_HEADER_BYTES, transport + headerBytes) : {};
  return {
    sourcePort: u16(bytes, transport),
    destinationPort: u16(bytes, transport + 2),
    sequence: u32(bytes, transport + 4),
    acknowledgment: u32(bytes, transport + 8),
    flags,
    window: u16(bytes, transport + 14),
    payloadStart: transport + headerBytes,
    payloadEnd: end,
    mss: options.mss,
    windowScale: options.windowScale,
  };
}

interface SynOptions {
  mss?: number;
  windowScale?: number;
}

function parseOptions(bytes: Uint8Array, start: number, end: number): SynOptions {
  const options: SynOptions = {};
  for (let at = start; at < end; ) {
    const kind = bytes[at] as number;
    if (kind === OPTION.END) break;
    if (kind === OPTION.NOP) {
      at++;
      continue;
    }
    const length = at + 1 < end ? (bytes[at + 1] as number) : 0;
    if (length < 2 || at + length > end) break;
    if (kind === OPTION.MSS && length === 4) options.mss = u16(bytes, at + 2);
    if (kind === OPTION.WINDOW_SCALE && length === 3) {
      options.windowScale = Math.min(bytes[at + 2] as number, MAX_WINDOW_SCALE);
    }
    at += length;
  }
  return options;
}

export interface TcpFields {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  /** Options of a SYN. */
  readonly mss?: number;
  readonly windowScale?: number | undefined;
}

/**
 * A TCP frame with room for `payloadBytes`, which `fill` puts in place. The checksum is left to the receiver; a payload beyond
 * `segmentBytes` is left to be cut.
 */
export function tcpFrame(
  template: Omit<IpTemplate, "protocol">,
  fields: TcpFields,
  payloadBytes = 0,
  segmentBytes = 0,
  fill?: (target: Uint8Array) => void,
): Frame {
  const optionBytes = fields.mss === undefined ? 0 : fields.windowScale === undefined ? 4 : 8;
  const headerBytes = TCP_HEADER_BYTES + optionBytes;
  const { bytes, transport } = newIpFrame({ ...template, protocol: PROTOCOL.TCP }, headerBytes + payloadBytes);
  putU16(bytes, transport, fields.sourcePort);
  putU16(bytes, transport + 2, fields.destinationPort);
  putU32(bytes, transport + 4, fields.sequence);
  putU32(bytes, transport + 8, fields.acknowledgment);
  bytes[transport + 12] = (headerBytes / 4) << 4;
  bytes[transport + 13] = fields.flags;
  putU16(bytes, transport + 14, fields.window);
  if (fields.mss !== undefined) {
    bytes[transport + 20] = OPTION.MSS;
    bytes[transport + 21] = 4;
    putU16(bytes, transport + 22, fields.mss);
    if (fields.windowScale !== undefined) {
      bytes[transport + 24] = OPTION.NOP;
      bytes[transport + 25] = OPTION.WINDOW_SCALE;
      bytes[transport + 26] = 3;
      bytes[transport + 27] = fields.windowScale;
    }
  }
  fill?.(bytes.subarray(transport + headerBytes));
  putU16(bytes, transport + TCP_CHECKSUM_OFFSET, fold(pseudoSumOf(bytes, transport, PROTOCOL.TCP)));
  return new Frame(bytes, transport, TCP_CHECKSUM_OFFSET, payloadBytes > segmentBytes ? segmentBytes : 0);
}

/** Whether sequence number `a` is before `b`, modulo 2^32. */
export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** Bytes from `from` to `to`, modulo 2^32. */
export function distance(from: number, to: number): number {
  return (to - from) >>> 0;
}
