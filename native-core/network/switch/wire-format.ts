// How frames travel between a VM process and the network process: a stream of messages.
//
//   hello    one line of JSON (HubHello), from the VM process
//   frames   length:u32 checksumStart:u16 checksumOffset:u16 segmentBytes:u16 0:u16 bytes[length - 8]     in network order
import { Frame, MAX_OFFLOAD_FRAME_BYTES } from "../frame.ts";
import { putU16, putU32, u16, u32 } from "../packets/ip.ts";

const LENGTH_BYTES = 4;
const META_BYTES = 8;
export const MESSAGE_HEADER_BYTES = LENGTH_BYTES + META_BYTES;

/** What a port of the switch says about itself. */
export interface HubHello {
  readonly kind: "internal" | "host-only";
  readonly network: string;
  readonly machineId: string;
  readonly adapterId: string;
}

/** The header of a message; the frame's bytes follow. */
export function messageHeader(frame: Frame): Uint8Array {
  const header = new Uint8Array(MESSAGE_HEADER_BYTES);
  putU32(header, 0, META_BYTES + frame.bytes.length);
  putU16(header, 4, frame.checksumStart);
  putU16(header, 6, frame.checksumOffset);
  putU16(header, 8, frame.segmentBytes);
  return header;
}

/** Cuts a byte stream into frames. A stream that is not one throws nothing: `isBroken` tells. */
export class FrameReader {
  #rest: Uint8Array = new Uint8Array(0);
  isBroken = false;

  /** Frames that are complete now. */
  read(bytes: Uint8Array): Frame[] {
    let data = bytes;
    if (this.#rest.length > 0) {
      data = new Uint8Array(this.#rest.length + bytes.length);
      data.set(this.#rest);
      data.set(bytes, this.#rest.length);
    }
    const frames: Frame[] = [];
    let at = 0;
    while (!this.isBroken && data.length - at >= MESSAGE_HEADER_BYTES) {
      const length = u32(data, at);
      if (length < META_BYTES + 14 || length > META_BYTES + MAX_OFFLOAD_FRAME_BYTES) {
        this.isBroken = true;
        break;
      }
      const end = at + LENGTH_BYTES + length;
      if (end > data.length) break;
      frames.push(frameAt(data, at, end));
      at = end;
    }
    this.#rest = data.subarray(at);
    return frames;
  }
}

/** Offloads that don't fit their frame are dropped, so that nobody behind has to look again. */
function frameAt(data: Uint8Array, at: number, end: number): Frame {
  const bytes = data.subarray(at + MESSAGE_HEADER_BYTES, end);
  const start = u16(data, at + 4);
  const offset = u16(data, at + 6);
  if (start < 14 || start + offset + 2 > bytes.length) return new Frame(bytes);
  return new Frame(bytes, start, offset, u16(data, at + 8));
}
