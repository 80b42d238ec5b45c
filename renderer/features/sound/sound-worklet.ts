// Runs on the browser's audio thread: takes a machine's samples by message and plays them without asking this window's busy main thread.
import { JitterBuffer } from "./jitter-buffer.ts";
import type { SoundPacket } from "./packets.ts";

// What an AudioWorkletGlobalScope has; TypeScript's libraries do not tell.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

class MachineSound extends AudioWorkletProcessor {
  readonly #buffer = new JitterBuffer(sampleRate);
  #told = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<SoundPacket>) => this.#buffer.push(data.samples, data.rate);
  }

  /** Called for every 128 frames. */
  process(_inputs: unknown, outputs: Float32Array[][]): boolean {
    const [left, right] = outputs[0] ?? [];
    if (left && right) this.#buffer.pull(left, right);
    const { underruns } = this.#buffer;
    if (underruns !== this.#told) {
      this.#told = underruns;
      this.port.postMessage(underruns);
    }
    return true;
  }
}

registerProcessor("machine-sound", MachineSound);
