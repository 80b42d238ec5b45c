import { describe, expect, it } from "vitest";
import type { CursorShape } from "../../../native-core/devices/display-source.ts";
import { ENCODING } from "../../../native-core/display/encodings/encoding.ts";
import { ServerBench, type TestClient, visible } from "./rfb-client.ts";

const [WIDTH, HEIGHT] = [200, 160];
const ALL = { x: 0, y: 0, width: WIDTH, height: HEIGHT };
const RED = 0xff00_00ff;
/** Half of red over what is below; colours are multiplied by alpha. */
const HALF_RED = 0x8000_0080;
/** Looks after which a pointer must have arrived, and some. */
const SETTLED = 16;

/** An arrow of 3x2: opaque, half, nothing; nothing, nothing, opaque. */
const arrow = (hotX = 0, hotY = 0): CursorShape => {
  const pixels = Uint32Array.of(RED, HALF_RED, 0, 0, 0, RED);
  return { ...{ width: 3, height: 2, hotX, hotY }, pixels };
};

async function start(...encodings: number[]) {
  const bench = new ServerBench(WIDTH, HEIGHT);
  bench.source.paint(ALL, () => 0x00_ff00);
  const client = bench.connect();
  client.handshake();
  client.setEncodings(ENCODING.COPY_RECT, ENCODING.ZRLE, ...encodings);
  const look = async (viewer: TestClient = client) => {
    viewer.rects.length = 0;
    viewer.requestUpdate();
    await bench.tick();
    await viewer.receive();
    return viewer.rects.map(({ encoding }) => encoding);
  };
  const looks = async (count: number) => {
    const all: number[] = [];
    for (let at = 0; at < count; at++) all.push(...(await look()));
    return all;
  };
  const move = (x: number, y: number) => client.send(5, 0, x >> 8, x & 0xff, y >> 8, y & 0xff);
  await look();
  /** What the viewer sees where the pointer's first two pixels are. */
  const seen = (x: number, y: number) => [...client.pixels.subarray(y * WIDTH + x, y * WIDTH + x + 2)];
  return { bench, client, look, looks, move, seen };
}

const DRAWN = [0x00_00ff, 0x00_7f80];
const NOTHING = [0x00_ff00, 0x00_ff00];

describe("the guest's pointer", () => {
  it("is drawn into the picture of a viewer that can't draw it, where it is and no longer where it was", async () => {
    const { bench, client, look, move, seen } = await start();
    bench.source.cursor = { shape: arrow(1, 1), x: 51, y: 41 };
    await look();
    expect(seen(50, 40)).toEqual(DRAWN);
    move(80, 80);
    bench.source.cursor = { shape: arrow(1, 1), x: 81, y: 81 };
    await look();
    expect([seen(50, 40), seen(80, 80)]).toEqual([NOTHING, DRAWN]);
    bench.source.cursor = undefined;
    await look();
    expect(client.pixels).toEqual(visible(bench.source.pixels));
    expect(client.cursor).toBeUndefined();
  });

  it("is cut off at the edges", async () => {
    const { bench, client, look, seen } = await start();
    bench.source.cursor = { shape: arrow(1, 0), x: 0, y: HEIGHT - 1 };
    await look();
    expect(seen(0, HEIGHT - 1)[0]).toBe(0x00_7f80);
    bench.source.cursor = { shape: arrow(), x: -40, y: 5000 };
    await look();
    expect(client.pixels).toEqual(visible(bench.source.pixels));
  });

  it("is in screenshots, and not in what others share", async () => {
    const { bench } = await start();
    const shape = arrow();
    bench.source.cursor = { shape, x: 10, y: 10 };
    const { pixels } = bench.server.capture();
    expect([...pixels.subarray(10 * WIDTH + 10, 10 * WIDTH + 12)]).toEqual([0xff00_00ff, 0xff00_7f80]);
    bench.source.cursor = { shape, x: 20, y: 20 };
    expect(bench.server.capture().pixels[10 * WIDTH + 10]).toBe(0xff00_ff00);
  });

  it("does not stay behind when the lines below it scroll", async () => {
    const { bench, client, look, seen } = await start();
    bench.source.paint(ALL, (_, y) => (y * 0x9e37_79b1) & 0xffffff);
    bench.source.cursor = { shape: arrow(), x: 50, y: 80 };
    await look();
    bench.source.scrollUp(16);
    expect(await look()).toContain(ENCODING.COPY_RECT);
    expect(seen(50, 80)[0]).toBe(0x00_00ff);
    bench.source.cursor = undefined;
    await look();
    expect(client.pixels).toEqual(visible(bench.source.pixels));
  });
});

describe("a viewer that draws the pointer", () => {
  it("gets its look once, with alpha and hot spot, and nothing at all while it moves", async () => {
    const { bench, client, look, move } = await start(ENCODING.CURSOR, ENCODING.VMWARE_CURSOR);
    const shape = arrow(2, 1);
    move(50, 40);
    bench.source.cursor = { shape, x: 50, y: 40 };
    expect(await look()).toEqual([ENCODING.VMWARE_CURSOR]);
    expect(client.cursor).toEqual({
      ...{ width: 3, height: 2, hotX: 2, hotY: 1 },
      body: Uint8Array.of(1, 0, 255, 0, 0, 255, 255, 0, 0, 128, ...Array(12).fill(0), 255, 0, 0, 255),
    });
    for (let at = 1; at < 40; at++) {
      move(50 + at, 40);
      // The guest lags three events behind.
      bench.source.cursor = { shape, x: 50 + Math.max(0, at - 3), y: 40 };
      expect(await look()).toEqual([]);
    }
    expect(client.pixels).toEqual(visible(bench.source.pixels));
    bench.source.cursor = { shape: arrow(0, 0), x: 89, y: 40 };
    expect(await look()).toEqual([ENCODING.VMWARE_CURSOR]);
    bench.source.cursor = undefined;
    expect(await look()).toEqual([ENCODING.VMWARE_CURSOR]);
    expect(client.cursor).toMatchObject({ width: 0, height: 0 });
  });

  it("gets a mask where it has no alpha", async () => {
    const { bench, client, look, move } = await start(ENCODING.CURSOR);
    move(50, 40);
    bench.source.cursor = { shape: arrow(), x: 50, y: 40 };
    expect(await look()).toEqual([ENCODING.CURSOR]);
    expect([...(client.cursor?.body.subarray(-2) ?? [])]).toEqual([0b1100_0000, 0b0010_0000]);
    expect([...(client.cursor?.body.subarray(0, 3) ?? [])]).toEqual([255, 0, 0]);
  });

  it("knows the pointer of a guest that gives its corner instead of its hot spot", async () => {
    const { bench, look, move } = await start(ENCODING.VMWARE_CURSOR);
    move(50, 40);
    bench.source.cursor = { shape: arrow(2, 1), x: 48, y: 39 };
    expect(await look()).toEqual([ENCODING.VMWARE_CURSOR]);
  });

  it("has it in the picture while the guest's is elsewhere: nobody pointed yet, the guest warped it, somebody else moved it", async () => {
    const { bench, client, look, looks, move, seen } = await start(ENCODING.VMWARE_CURSOR);
    const shape = arrow();
    bench.source.cursor = { shape, x: 20, y: 20 };
    expect(await look()).toEqual([ENCODING.ZRLE]);
    expect([seen(20, 20), client.cursor]).toEqual([DRAWN, undefined]);

    move(20, 20);
    expect(await look()).toEqual([ENCODING.VMWARE_CURSOR, ENCODING.ZRLE]);
    expect([seen(20, 20), client.cursor?.width]).toEqual([NOTHING, 3]);

    bench.source.cursor = { shape, x: 120, y: 60 };
    expect(await looks(8)).toEqual([ENCODING.VMWARE_CURSOR, ENCODING.ZRLE]);
    expect([seen(120, 60), client.cursor?.width]).toEqual([DRAWN, 0]);

    move(120, 61);
    expect(await looks(3)).toEqual([ENCODING.VMWARE_CURSOR, ENCODING.ZRLE]);
    expect(client.cursor?.width).toBe(3);
  });

  it("has it in the picture when the guest does not follow any further", async () => {
    const { bench, client, looks, move, seen } = await start(ENCODING.VMWARE_CURSOR);
    const shape = arrow();
    move(20, 20);
    bench.source.cursor = { shape, x: 20, y: 20 };
    await looks(1);
    // Held at the edge of a window, as games do.
    for (let x = 21; x < 60; x++) move(x, 20);
    expect(await looks(SETTLED)).toEqual([ENCODING.VMWARE_CURSOR, ENCODING.ZRLE]);
    expect([seen(20, 20), client.cursor?.width]).toEqual([DRAWN, 0]);
  });

  it("does not get a look whose hot spot lies outside", async () => {
    const { bench, client, look, move, seen } = await start(ENCODING.VMWARE_CURSOR);
    move(50, 40);
    bench.source.cursor = { shape: arrow(3, 0), x: 50, y: 40 };
    await look();
    expect([seen(47, 40), client.cursor]).toEqual([DRAWN, undefined]);
  });

  it("does not take it from the picture of one that can't", async () => {
    const { bench, look, move } = await start(ENCODING.VMWARE_CURSOR);
    const other = bench.connect();
    other.handshake();
    other.setEncodings(ENCODING.RAW);
    move(50, 40);
    bench.source.cursor = { shape: arrow(), x: 50, y: 40 };
    await look(other);
    expect(await look()).toContain(ENCODING.VMWARE_CURSOR);
    expect(other.pixels[40 * WIDTH + 50]).toBe(0x00_00ff);
  });
});
