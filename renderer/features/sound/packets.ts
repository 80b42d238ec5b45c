// The sound channel of a machine (protocol/engine.ts): packets of rate, length and 16-bit stereo samples, cut anywhere on the way.

export interface SoundPacket {
  readonly rate: number;
  /** Left and right in turn. */
  readonly samples: Int16Array;
}

const HEADER_BYTES = 8;
const FRAME_BYTES = 4;
/** Nothing sends more at once; who announces more is out of step. */
const MAX_BYTES = 1 << 20;
const RATE_MIN = 4000;
const RATE_MAX = 384_000;

export class PacketReader {
  #bytes = new Uint8Array(0);

  /** The packets that are complete now. Throws when the bytes are none of this channel's. */
  push(bytes: Uint8Array): SoundPacket[] {
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    const view = new DataView(joined.buffer);
    const packets: SoundPacket[] = [];
    let at = 0;
    while (joined.length - at >= HEADER_BYTES) {
      const rate = view.getUint32(at, true);
      const length = view.getUint32(at + 4, true);
      if (rate < RATE_MIN || rate > RATE_MAX || length > MAX_BYTES || length % FRAME_BYTES !== 0) {
        throw new Error("not a sound packet");
      }
      const start = at + HEADER_BYTES;
      if (joined.length - start < length) break;
      packets.push({ rate, samples: new Int16Array(joined.slice(start, start + length).buffer) });
      at = start + length;
    }
    this.#bytes = joined.slice(at);
    return packets;
  }
}
