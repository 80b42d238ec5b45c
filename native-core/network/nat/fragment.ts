// Cuts an IPv4 frame that is longer than the wire allows into fragments (RFC 791 3.2): large datagrams on their way to the guest.
import { complement, sumWords } from "../checksum.ts";
import { Frame } from "../frame.ts";
import { ETHERNET_HEADER_BYTES } from "../packets/ethernet.ts";
import { IPV4_HEADER_BYTES, putU16 } from "../packets/ip.ts";

const MTU_BYTES = 1500;
const PAYLOAD_BYTES = (MTU_BYTES - IPV4_HEADER_BYTES) & ~7;
const TRANSPORT = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;

/** `frame` has a plain IPv4 header and complete checksums. */
export function fragments(frame: Frame): Frame[] {
  const { bytes } = frame;
  if (bytes.length <= ETHERNET_HEADER_BYTES + MTU_BYTES) return [frame];
  const frames: Frame[] = [];
  for (let at = TRANSPORT; at < bytes.length; at += PAYLOAD_BYTES) {
    const next = Math.min(bytes.length, at + PAYLOAD_BYTES);
    const part = new Uint8Array(TRANSPORT + next - at);
    part.set(bytes.subarray(0, TRANSPORT));
    part.set(bytes.subarray(at, next), TRANSPORT);
    putU16(part, 16, part.length - ETHERNET_HEADER_BYTES);
    putU16(part, 20, ((at - TRANSPORT) / 8) | (next < bytes.length ? 0x2000 : 0));
    putU16(part, 24, 0);
    putU16(part, 24, complement(sumWords(part, ETHERNET_HEADER_BYTES, TRANSPORT)));
    frames.push(new Frame(part));
  }
  return frames;
}
