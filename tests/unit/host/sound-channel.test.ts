import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { SoundChannel } from "../../../native-core/host/sound-channel.ts";
import { PacketReader } from "../../../renderer/features/sound/packets.ts";

describe("the sound channel of a machine", () => {
  it("sends what is played from now on to everybody who listens, as the window reads it", () => {
    const channel = new SoundChannel();
    channel.play(Int16Array.of(1, 2), 48_000);
    const listeners = [new PassThrough(), new PassThrough()];
    for (const listener of listeners) channel.attach(listener);
    // `attach` lets what a listener says flow away; here that is what it was sent.
    const heard = listeners.map((listener) => {
      const reader = new PacketReader();
      const packets: number[][] = [];
      listener.on("data", (bytes: Buffer) => {
        for (const { rate, samples } of reader.push(bytes)) packets.push([rate, ...samples]);
      });
      return packets;
    });
    channel.play(Int16Array.of(3, -4, 5, -6), 44_100);
    channel.play(new Int16Array(0), 44_100);
    expect(heard).toEqual([[[44_100, 3, -4, 5, -6]], [[44_100, 3, -4, 5, -6]]]);
  });

  it("leaves out listeners that do not keep up, and those that are gone", () => {
    const channel = new SoundChannel();
    const slow = new PassThrough({ highWaterMark: 1 });
    channel.attach(slow);
    slow.pause();
    slow.cork();
    for (let packet = 0; packet < 100; packet++) channel.play(new Int16Array(960), 48_000);
    expect(slow.writableLength).toBeLessThan(70 * 1024);
    channel.close();
    expect(slow.destroyed).toBe(true);
  });
});
