// What a machine plays, for whoever listens on the data socket: packets of a header and samples.
//
//   rate:u32 bytes:u32 then `bytes` of 16-bit stereo, left first; everything little-endian
//
// A listener that does not keep up misses sound: it never delays the machine, and what comes late is of no use.
import type { Duplex } from "node:stream";
import type { SoundSink } from "../devices/sound/pcm.ts";

const HEADER_BYTES = 8;
/** A third of a second at 48 kHz. */
const MAX_BUFFERED_BYTES = 64 * 1024;

export class SoundChannel implements SoundSink {
  readonly #listeners = new Set<Duplex>();

  attach(socket: Duplex): void {
    this.#listeners.add(socket);
    socket.on("close", () => this.#listeners.delete(socket));
    // Listeners have nothing to say.
    socket.resume();
  }

  play(samples: Int16Array, rate: number): void {
    if (this.#listeners.size === 0 || samples.length === 0) return;
    const packet = Buffer.alloc(HEADER_BYTES + samples.byteLength);
    packet.writeUInt32LE(rate, 0);
    packet.writeUInt32LE(samples.byteLength, 4);
    packet.set(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), HEADER_BYTES);
    for (const socket of this.#listeners) {
      if (socket.writable && socket.writableLength <= MAX_BUFFERED_BYTES) socket.write(packet);
    }
  }

  close(): void {
    for (const socket of this.#listeners) socket.destroy();
  }
}
