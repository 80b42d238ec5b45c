// Bytes of the messages a server sends (RFC 6143 7.6 and the rfbproto registry).
import type { Rect } from "../devices/display-source.ts";

/** FramebufferUpdate with the number of rectangles that follow. */
export function updateHeader(rects: number): Uint8Array {
  return Uint8Array.of(0, 0, rects >> 8, rects & 0xff);
}

export function rectHeader({ x, y, width, height }: Rect, encoding: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, x);
  view.setUint16(2, y);
  view.setUint16(4, width);
  view.setUint16(6, height);
  view.setInt32(8, encoding);
  return bytes;
}

export function copySource(x: number, y: number): Uint8Array {
  return Uint8Array.of(x >> 8, x & 0xff, y >> 8, y & 0xff);
}

/** One screen that fills the frame buffer; what follows the header of ExtendedDesktopSize. */
export function singleScreen(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  view.setUint16(12, width);
  view.setUint16(14, height);
  return bytes;
}

export function nameBytes(name: string): Uint8Array {
  const text = new TextEncoder().encode(name);
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length);
  bytes.set(text, 4);
  return bytes;
}

const FENCE_REQUEST = 0x8000_0000;
const FENCE_BLOCK_BEFORE = 1;

/** A fence the viewer answers once everything before it was processed. */
export function fenceRequest(): Uint8Array {
  return fence(FENCE_REQUEST | FENCE_BLOCK_BEFORE, new Uint8Array(0));
}

/** The answer to a viewer's fence: the flags this server knows, and the viewer's payload. */
export function fenceReply(flags: number, payload: Uint8Array): Uint8Array {
  return fence(flags & 0x3, payload);
}

export function isFenceRequest(flags: number): boolean {
  return (flags & FENCE_REQUEST) !== 0;
}

function fence(flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(9 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 248);
  view.setUint32(4, flags >>> 0);
  view.setUint8(8, payload.length);
  bytes.set(payload, 9);
  return bytes;
}

export function endOfContinuousUpdates(): Uint8Array {
  return Uint8Array.of(150);
}

/** SetColourMapEntries for the eight-bit map of MAPPED_FORMAT: RRR in bits 0-2, GGG in 3-5, BB in 6-7. */
export function colorMap(): Uint8Array {
  const bytes = new Uint8Array(6 + 256 * 6);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  view.setUint16(4, 256);
  for (let entry = 0; entry < 256; entry++) {
    const at = 6 + entry * 6;
    view.setUint16(at, Math.round(((entry & 7) / 7) * 0xffff));
    view.setUint16(at + 2, Math.round((((entry >> 3) & 7) / 7) * 0xffff));
    view.setUint16(at + 4, Math.round(((entry >> 6) / 3) * 0xffff));
  }
  return bytes;
}
