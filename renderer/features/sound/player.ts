// Plays a machine's sound channel through Web Audio. Nothing is set up before the guest plays something.
import { platform } from "../../platform/index.ts";
import type { DataSocket } from "../../platform/platform.ts";
import { soundGaps } from "./gaps.ts";
import { PacketReader, type SoundPacket } from "./packets.ts";
// oxlint-disable-next-line import/default -- Vite gives the address of the compiled module
import workletUrl from "./sound-worklet.ts?worker&url";

const RETRY_MS = 2000;

export class SoundPlayer {
  readonly #machineId: string;
  #socket: DataSocket | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #context: AudioContext | undefined;
  #gain: GainNode | undefined;
  #node: AudioWorkletNode | undefined;
  #volume = 1;
  #closed = false;

  constructor(machineId: string) {
    this.#machineId = machineId;
    this.#connect();
    // Browsers let a page sound only after the user did something in it.
    window.addEventListener("pointerdown", this.#awake);
    window.addEventListener("keydown", this.#awake);
  }

  /** 0 is silent, 1 as loud as the guest plays. */
  set volume(volume: number) {
    this.#volume = volume;
    if (this.#gain) this.#gain.gain.value = volume;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    window.removeEventListener("pointerdown", this.#awake);
    window.removeEventListener("keydown", this.#awake);
    this.#socket?.close();
    void this.#context?.close();
  }

  readonly #awake = (): void => {
    if (this.#context?.state === "suspended") void this.#context.resume();
  };

  #connect(): void {
    const reader = new PacketReader();
    const socket = platform.openDataChannel(this.#machineId, "sound");
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      try {
        for (const packet of reader.push(new Uint8Array(data as ArrayBuffer))) this.#play(packet);
      } catch {
        socket.close();
      }
    };
    socket.onclose = () => {
      // A restore or a new start of the machine has a new channel.
      if (!this.#closed) this.#retry = setTimeout(() => this.#connect(), RETRY_MS);
    };
  }

  #play(packet: SoundPacket): void {
    if (!this.#context) void this.#open();
    this.#node?.port.postMessage(packet, [packet.samples.buffer]);
  }

  async #open(): Promise<void> {
    const context = new AudioContext({ latencyHint: "interactive" });
    this.#context = context;
    await context.audioWorklet.addModule(workletUrl);
    if (this.#closed) return;
    const node = new AudioWorkletNode(context, "machine-sound", { numberOfInputs: 0, outputChannelCount: [2] });
    node.port.onmessage = () => soundGaps.set((count) => count + 1);
    const gain = context.createGain();
    gain.gain.value = this.#volume;
    node.connect(gain).connect(context.destination);
    this.#gain = gain;
    this.#node = node;
  }
}
