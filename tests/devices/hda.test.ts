import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Hda } from "../../native-core/devices/hda/hda.ts";
import { toStereo } from "../../native-core/devices/sound/pcm.ts";
import { DeviceBench, MS } from "../support/device-bench.ts";
import { TestMemory } from "./virtio-support.ts";

const CORB = 0x1000;
const RIRB = 0x2000;
const BDL = 0x3000;
const BUFFER = 0x10000;
const POSITIONS = 0x4000;
const STREAM = 0x80;
/** Node 2 is the converter. */
const CONVERTER = 2;
const FORMAT_48K_STEREO = 0x11;

class HdaBench {
  readonly bench = new DeviceBench();
  readonly memory = new TestMemory();
  readonly hda: Hda;
  line = false;
  played: number[] = [];
  rates = new Set<number>();

  constructor() {
    this.hda = new Hda({
      memory: this.memory,
      clock: this.bench.clock,
      sink: {
        play: (samples, rate) => {
          this.played.push(...samples);
          this.rates.add(rate);
        },
      },
    });
    this.hda.pci.connect({
      messages: { send: () => undefined },
      map: () => ({ unmap() {} }),
      setInterrupt: (level) => {
        this.line = level;
      },
      decodingChanged() {},
    });
    this.hda.reset();
  }

  start(): this {
    const { hda } = this;
    hda.write(0x08, 4, 1);
    hda.write(0x40, 4, CORB);
    hda.write(0x50, 4, RIRB);
    hda.write(0x5a, 2, 1);
    hda.write(0x4c, 1, 2);
    hda.write(0x5c, 1, 3);
    hda.write(0x20, 4, 0xc000_0003);
    return this;
  }

  /** One command through the rings. */
  command(node: number, verb: number): number {
    const at = (this.hda.read(0x48, 2) + 1) & 0xff;
    this.memory.writeU32(CORB + at * 4, (node << 20) | verb);
    this.hda.write(0x48, 2, at);
    expect(this.hda.read(0x5d, 1) & 1).toBe(1);
    this.hda.write(0x5d, 1, 1);
    return this.memory.readU32(RIRB + this.hda.read(0x58, 2) * 8);
  }

  /** Two buffers of `frames` each, the second with an interrupt at its end, played by stream 5. */
  playBuffers(frames: number): void {
    const bytes = frames * 4;
    for (let sample = 0; sample < frames * 4; sample++) this.memory.writeU16(BUFFER + sample * 2, sample + 1);
    for (const [index, flags] of [0, 1].entries()) {
      this.memory.writeU64(BDL + index * 16, BigInt(BUFFER + index * bytes));
      this.memory.writeU32(BDL + index * 16 + 8, bytes);
      this.memory.writeU32(BDL + index * 16 + 12, flags);
    }
    this.command(CONVERTER, 0x70650);
    this.command(CONVERTER, (0x2 << 16) | FORMAT_48K_STEREO);
    const { hda } = this;
    hda.write(STREAM + 0x08, 4, bytes * 2);
    hda.write(STREAM + 0x0c, 2, 1);
    hda.write(STREAM + 0x12, 2, FORMAT_48K_STEREO);
    hda.write(STREAM + 0x18, 4, BDL);
    hda.write(STREAM, 4, 0x50_0006);
  }
}

describe("High Definition Audio", () => {
  let h: HdaBench;

  beforeEach(() => {
    h = new HdaBench();
  });

  it("announces its codec when it leaves reset, and takes nothing before", () => {
    h.hda.write(0x20, 4, 0xffff_ffff);
    expect([h.hda.read(0x0e, 2), h.hda.read(0x20, 4)]).toEqual([0, 0]);
    h.start();
    expect(h.hda.read(0x0e, 2)).toBe(1);
    h.hda.write(0x0e, 2, 1);
    expect(h.hda.read(0x0e, 2)).toBe(0);
    expect([h.hda.read(0, 2), h.hda.read(2, 1), h.hda.read(3, 1)]).toEqual([0x2001, 0, 1]);
  });

  it("describes a path from a converter to a line output", () => {
    h.start();
    const parameter = (node: number, number: number) => h.command(node, 0xf0000 | number);
    expect(parameter(0, 4)).toBe(0x10001);
    expect(parameter(1, 5)).toBe(1);
    expect(parameter(1, 4)).toBe(0x20002);
    expect([parameter(2, 9) >>> 20, parameter(3, 9) >>> 20]).toEqual([0, 4]);
    expect(h.command(3, 0xf0200)).toBe(2);
    expect(parameter(9, 9)).toBe(0);
  });

  it("interrupts for responses, and answers single commands without rings", () => {
    h.start();
    h.memory.writeU32(CORB + 4, 0xf0004);
    h.hda.write(0x48, 2, 1);
    expect([h.line, h.hda.read(0x24, 4)]).toEqual([true, 0xc000_0000]);
    h.hda.write(0x5d, 1, 1);
    expect(h.line).toBe(false);
    h.hda.write(0x60, 4, 0xf0004);
    h.hda.write(0x68, 2, 1);
    expect([h.hda.read(0x68, 2), h.hda.read(0x64, 4)]).toEqual([2, 0x10001]);
  });

  it("plays its buffers round and round at the pace of the clock", () => {
    h.start().playBuffers(480);
    h.bench.advance(15n * MS);
    expect(h.hda.read(STREAM + 4, 4)).toBe(720 * 4);
    expect(h.played).toEqual(Array.from({ length: 1440 }, (_, index) => index + 1));
    h.bench.advance(10n * MS);
    expect(h.hda.read(STREAM + 4, 4)).toBe(240 * 4);
    expect(h.played.slice(1920, 1922)).toEqual([1, 2]);
    expect([...h.rates]).toEqual([48_000]);
  });

  it("interrupts when a buffer that asks for it ends, and keeps the positions in memory", () => {
    h.start();
    h.hda.write(0x70, 4, POSITIONS | 1);
    h.playBuffers(480);
    h.bench.advance(10n * MS);
    expect([h.line, h.memory.readU32(POSITIONS)]).toEqual([false, 480 * 4]);
    h.bench.advance(10n * MS);
    expect([h.line, h.hda.read(0x24, 4), h.hda.read(STREAM + 3, 1) & 4]).toEqual([true, 0x8000_0001, 4]);
    h.hda.write(STREAM + 3, 1, 4);
    expect(h.line).toBe(false);
  });

  it("applies the converter's volume and mute", () => {
    h.start().playBuffers(48);
    // Left 20 dB down, right muted.
    h.command(CONVERTER, 0x3a036);
    h.command(CONVERTER, 0x390ca);
    h.bench.advance(2n * MS);
    expect([h.played[60], h.played[61]]).toEqual([6, 0]);
    expect([h.command(CONVERTER, 0xba000), h.command(CONVERTER, 0xb8000)]).toEqual([0x36, 0xca]);
  });

  it("plays nothing to a converter that listens to another stream", () => {
    h.start().playBuffers(48);
    h.command(CONVERTER, 0x70630);
    h.bench.advance(5n * MS);
    expect(h.played).toEqual([]);
  });

  it("makes up for no more than a cycle after a long silence of the host", () => {
    h.start().playBuffers(48);
    const { hda } = h;
    hda.write(STREAM, 4, 0x50_0004);
    hda.write(STREAM, 4, 0x50_0006);
    const state = structuredClone(hda.save());
    const later = new HdaBench();
    later.memory.bytes.set(h.memory.bytes);
    later.bench.advance(60_000n * MS);
    later.hda.restore(state);
    later.hda.read(STREAM + 4, 4);
    expect(later.played.length).toBe(96 * 2);
  });

  it("goes on exactly from a saved state", () => {
    h.start().playBuffers(480);
    h.bench.advance(7n * MS);
    const state = structuredClone(h.hda.save());
    expect(h.hda.stateSchema.safeParse(state).success).toBe(true);
    const other = new HdaBench();
    other.memory.bytes.set(h.memory.bytes);
    other.bench.advance(7n * MS);
    other.hda.restore(state);
    h.played = [];
    for (const each of [h, other]) each.bench.advance(30n * MS);
    expect(other.played).toEqual(h.played);
    expect(other.hda.save()).toEqual(h.hda.save());
  });

  it("survives whatever is written to its registers", () => {
    const access = fc.tuple(
      fc.oneof(fc.nat(0x100), fc.nat(0x3fff)),
      fc.constantFrom(1, 2, 4),
      fc.oneof(fc.nat(0xff), fc.integer({ min: 0, max: 0xffff_ffff })),
      fc.nat(20),
    );
    fc.assert(
      fc.property(fc.array(access, { maxLength: 60 }), (accesses) => {
        const bench = new HdaBench().start();
        bench.playBuffers(4);
        for (const [offset, size, value, ms] of accesses) {
          bench.hda.write(offset - (offset % size), size as 1 | 2 | 4, value % 2 ** (size * 8));
          bench.bench.advance(BigInt(ms) * MS);
        }
        expect(bench.hda.stateSchema.safeParse(bench.hda.save()).success).toBe(true);
        bench.hda.restore(structuredClone(bench.hda.save()));
      }),
      { numRuns: 60 },
    );
  });
});

describe("samples on their way out", () => {
  it.each([
    ["8 bits, one channel", [0x80, 0xff], { channels: 1, sampleBytes: 1 }, [0, 0, 0x7f00, 0x7f00]],
    ["32 bits, two channels", [0, 0, 0x34, 0x12, 0, 0, 0, 0x80], { channels: 2, sampleBytes: 4 }, [0x1234, -0x8000]],
    ["16 bits, three channels", [1, 0, 2, 0, 3, 0], { channels: 3, sampleBytes: 2 }, [1, 2]],
  ] as const)("become 16-bit stereo from %s", (_, bytes, format, samples) => {
    expect([...toStereo(Uint8Array.from(bytes), { rate: 48_000, ...format })]).toEqual(samples);
  });
});
