import { describe, expect, it } from "vitest";
import { JitterBuffer } from "../../../renderer/features/sound/jitter-buffer.ts";
import { PacketReader } from "../../../renderer/features/sound/packets.ts";

const RATE = 48_000;
const OUT = 128;

/** A tone without silence: samples of at least a tenth of full scale. */
function tone(frames: number, from = 0): Int16Array {
  return Int16Array.from({ length: frames * 2 }, (_, at) => 12_000 + 6000 * Math.sin((from + (at >> 1)) / 20));
}

describe("packets of the sound channel", () => {
  const packet = (rate: number, samples: number[]) => {
    const bytes = new Uint8Array(8 + samples.length * 2);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, rate, true);
    view.setUint32(4, samples.length * 2, true);
    samples.forEach((sample, at) => view.setInt16(8 + at * 2, sample, true));
    return bytes;
  };

  it("are found however the bytes are cut", () => {
    const bytes = new Uint8Array([...packet(44_100, [1, -2]), ...packet(48_000, [3, 4, 5, 6])]);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = new PacketReader();
      const found = [...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut))];
      expect(found.map(({ rate, samples }) => [rate, ...samples])).toEqual([
        [44_100, 1, -2],
        [48_000, 3, 4, 5, 6],
      ]);
    }
  });

  it.each([
    ["an impossible rate", packet(1, [0, 0])],
    ["half a frame", packet(48_000, [1])],
  ])("are refused with %s", (_, bytes) => {
    expect(() => new PacketReader().push(bytes)).toThrow("not a sound packet");
  });
});

describe("the buffer between a machine and the sound card", () => {
  /** Plays for `seconds` a machine that sends every 10 ms by a clock that goes `drift` times as fast. */
  function play(buffer: JitterBuffer, seconds: number, drift: number, lateBy = (_packet: number) => 0) {
    const left = new Float32Array(OUT);
    const right = new Float32Array(OUT);
    let sent = 0;
    let silent = 0;
    for (let block = 0; block < (seconds * RATE) / OUT; block++) {
      const now = (block * OUT) / RATE;
      while ((sent * 0.01) / drift + lateBy(sent) <= now) buffer.push(tone(480, sent++ * 480), RATE);
      buffer.pull(left, right);
      if (now > 0.2) silent += left.filter((sample) => sample === 0).length;
    }
    return silent;
  }

  it("starts when there is enough, and plays what was sent", () => {
    const buffer = new JitterBuffer(RATE);
    const left = new Float32Array(OUT);
    const right = new Float32Array(OUT);
    buffer.push(tone(480), RATE);
    buffer.pull(left, right);
    expect(left[0]).toBe(0);
    for (let packet = 1; packet < 6; packet++) buffer.push(tone(480, packet * 480), RATE);
    buffer.pull(left, right);
    expect(left[0]).toBeCloseTo(12_000 / 32_768, 3);
    expect(Math.abs((left[100] ?? 0) - (12_000 + 6000 * Math.sin(5)) / 32_768)).toBeLessThan(0.001);
    expect(right).toEqual(left);
  });

  it.each([0.998, 1, 1.002])("never runs dry for minutes when the machine's clock goes %d times as fast", (drift) => {
    const buffer = new JitterBuffer(RATE);
    expect(play(buffer, 120, drift)).toBe(0);
    expect(buffer.underruns).toBe(0);
  });

  it("hides packets that come up to 40 ms late", () => {
    const buffer = new JitterBuffer(RATE);
    expect(play(buffer, 20, 1, (packet) => (packet % 7 === 3 ? 0.04 : 0))).toBe(0);
  });

  it("falls silent when nothing comes, and goes on when something does", () => {
    const buffer = new JitterBuffer(RATE);
    play(buffer, 1, 1);
    const left = new Float32Array(RATE);
    buffer.pull(left, new Float32Array(RATE));
    expect(left.at(-1)).toBe(0);
    expect(play(buffer, 1, 1)).toBe(0);
    // It was an end, and no gap.
    expect(buffer.underruns).toBe(0);
  });

  it("counts gaps: silences in the middle of what is played", () => {
    const buffer = new JitterBuffer(RATE);
    play(buffer, 1, 1);
    const gap = RATE / 5;
    buffer.pull(new Float32Array(gap), new Float32Array(gap));
    expect(buffer.underruns).toBe(0);
    play(buffer, 1, 1);
    expect(buffer.underruns).toBe(1);
  });

  it("skips what is too old, so that sound stays with the picture", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push(tone(RATE / 2), RATE);
    const left = new Float32Array(1);
    buffer.pull(left, new Float32Array(1));
    expect(left[0]).toBeCloseTo((tone(1, RATE / 2 - 0.06 * RATE)[0] ?? 0) / 32_768, 3);
  });

  it("converts other rates", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push(tone(22_050 / 10), 22_050);
    const left = new Float32Array(1000);
    buffer.pull(left, new Float32Array(1000));
    expect(left.every((sample) => sample > 0.1)).toBe(true);
    expect(Math.abs((left[480] ?? 0) - (12_000 + 6000 * Math.sin((480 * 22_050) / RATE / 20)) / 32_768)).toBeLessThan(
      0.02,
    );
  });
});
