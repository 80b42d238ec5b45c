import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { VIRTIO_F_VERSION_1 } from "../../native-core/devices/virtio/constants.ts";
import { SND, SND_QUEUE, SND_STATUS } from "../../native-core/devices/virtio/sound/protocol.ts";
import { VirtioSound } from "../../native-core/devices/virtio/sound/virtio-sound.ts";
import { DeviceBench, MS } from "../support/device-bench.ts";
import { DEVICE_CONFIG, DriverQueue, VirtioBench } from "./virtio-support.ts";

const REQUEST = 0xa000;
const RESPONSE = 0xb000;
const SAMPLES = 0x10000;
const STATUS = 0xc000;
const S16 = 5;
const RATE_48000 = 7;

class SoundBench {
  readonly time = new DeviceBench();
  readonly bench: VirtioBench;
  readonly control: DriverQueue;
  readonly tx: DriverQueue;
  played: number[] = [];
  #sent = 0;

  constructor() {
    const model = new VirtioSound(this.time.clock, { play: (samples) => void this.played.push(...samples) });
    this.bench = new VirtioBench(() => model);
    this.bench.negotiate(VIRTIO_F_VERSION_1);
    this.control = new DriverQueue(this.bench, SND_QUEUE.CONTROL, 16).setUp();
    this.tx = new DriverQueue(this.bench, SND_QUEUE.TX, 16).setUp();
    this.bench.driverOk();
  }

  send(code: number, ...bytes: number[]): number {
    const { memory } = this.bench;
    memory.writeU32(REQUEST, code);
    memory.write(REQUEST + 4, Uint8Array.from(bytes));
    this.control.add([
      { address: REQUEST, length: 4 + bytes.length },
      { address: RESPONSE, length: 64, writable: true },
    ]);
    this.control.notify();
    return memory.readU32(RESPONSE);
  }

  setParameters(channels: number, format: number, rate: number): number {
    return this.send(SND.PCM_SET_PARAMS, ...new Array<number>(16).fill(0), channels, format, rate, 0);
  }

  stream(code: number): number {
    return this.send(code, 0, 0, 0, 0);
  }

  prepare(): this {
    expect(this.setParameters(2, S16, RATE_48000)).toBe(SND_STATUS.OK);
    expect(this.stream(SND.PCM_PREPARE)).toBe(SND_STATUS.OK);
    return this;
  }

  /** A buffer of `frames` whose samples count on. */
  queue(frames: number): void {
    const at = SAMPLES + this.#sent * 0x2000;
    const { memory } = this.bench;
    memory.writeU32(at, 0);
    for (let sample = 0; sample < frames * 2; sample++)
      memory.writeU16(at + 4 + sample * 2, this.#sent * 1000 + sample);
    this.tx.add([
      { address: at, length: 4 + frames * 4 },
      { address: STATUS + this.#sent * 8, length: 8, writable: true },
    ]);
    this.#sent++;
    this.tx.notify();
  }
}

describe("virtio-snd (5.14)", () => {
  let s: SoundBench;

  beforeEach(() => {
    s = new SoundBench();
  });

  it("has one output stream", () => {
    expect([0, 4, 8].map((at) => s.bench.device.read(DEVICE_CONFIG + at, 4))).toEqual([0, 1, 0]);
    expect(s.send(SND.PCM_INFO, 0, 0, 0, 0, 1, 0, 0, 0, 32, 0, 0, 0)).toBe(SND_STATUS.OK);
    const { memory } = s.bench;
    expect(memory.readU64(RESPONSE + 12) & (1n << 5n)).not.toBe(0n);
    expect([...memory.bytes.slice(RESPONSE + 28, RESPONSE + 31)]).toEqual([0, 1, 2]);
  });

  it("plays buffers in order at the pace of the clock, and gives each back when it was played", () => {
    s.prepare();
    s.queue(480);
    s.queue(480);
    expect(s.stream(SND.PCM_START)).toBe(SND_STATUS.OK);
    s.time.advance(15n * MS);
    expect(s.tx.usedIndex).toBe(1);
    expect(s.bench.memory.readU32(STATUS)).toBe(SND_STATUS.OK);
    s.time.advance(5n * MS);
    expect(s.tx.usedIndex).toBe(2);
    expect([s.played.length, s.played[0], s.played[959], s.played[960]]).toEqual([1920, 0, 959, 1000]);
    s.time.advance(100n * MS);
    expect(s.played.length).toBe(1920);
  });

  it("plays nothing while it is stopped, and gives everything back when it is released", () => {
    s.prepare();
    s.queue(480);
    s.queue(480);
    s.stream(SND.PCM_START);
    s.time.advance(5n * MS);
    expect(s.stream(SND.PCM_STOP)).toBe(SND_STATUS.OK);
    const { length } = s.played;
    s.time.advance(50n * MS);
    expect([s.played.length, s.tx.usedIndex]).toEqual([length, 0]);
    expect(s.stream(SND.PCM_RELEASE)).toBe(SND_STATUS.OK);
    expect(s.tx.usedIndex).toBe(2);
  });

  it.each([
    ["an unknown format", () => s.setParameters(2, 0, RATE_48000), SND_STATUS.NOT_SUPP],
    ["three channels", () => s.setParameters(3, S16, RATE_48000), SND_STATUS.NOT_SUPP],
    ["a start before it is prepared", () => s.stream(SND.PCM_START), SND_STATUS.IO_ERR],
    ["another stream", () => s.send(SND.PCM_PREPARE, 1, 0, 0, 0), SND_STATUS.BAD_MSG],
    ["an unknown request", () => s.send(0x999, 0, 0, 0, 0), SND_STATUS.NOT_SUPP],
  ])("refuses %s", (_, request, status) => {
    expect(request()).toBe(status);
  });

  it("goes on exactly from a saved state, with the buffers that were queued", async () => {
    s.prepare();
    s.queue(480);
    s.queue(480);
    s.stream(SND.PCM_START);
    s.time.advance(7n * MS);
    const state = structuredClone(s.bench.device.save());
    expect(s.bench.device.stateSchema.safeParse(state).success).toBe(true);
    const other = new SoundBench();
    other.bench.memory.bytes.set(s.bench.memory.bytes);
    other.time.advance(7n * MS);
    other.bench.device.restore(state);
    await other.bench.settle();
    s.time.advance(13n * MS);
    other.time.advance(13n * MS);
    expect(other.played).toEqual(s.played.slice(-other.played.length));
    expect([other.played.at(-1), other.tx.usedIndex]).toEqual([1959, 2]);
  });

  it("survives whatever a driver puts into its queues", () => {
    const byte = fc.oneof(fc.nat(8), fc.nat(255));
    const step = fc.oneof(
      fc.tuple(fc.constantFrom(...Object.values(SND), 7), fc.array(byte, { maxLength: 24 })),
      fc.nat(600),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const bench = new SoundBench().prepare();
        for (const each of steps) {
          if (typeof each === "number") bench.queue(each);
          else bench.send(each[0], ...each[1]);
          bench.time.advance(3n * MS);
        }
        expect(bench.bench.device.stateSchema.safeParse(bench.bench.device.save()).success).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
