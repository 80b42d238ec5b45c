import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENCODING } from "../../../native-core/display/encodings/encoding.ts";
import { ServerBench, type TestClient, visible } from "./rfb-client.ts";

const ALL = { x: 0, y: 0, width: 200, height: 100 };

async function connected(bench: ServerBench, ...encodings: number[]): Promise<TestClient> {
  const client = bench.connect();
  client.handshake();
  client.setEncodings(...encodings);
  client.requestUpdate(false);
  await bench.tick();
  await client.receive();
  return client;
}

const noise = (x: number, y: number) => (Math.imul(x * 7919 + y * 104729, 0x9e3779b1) >>> 8) & 0xff_ffff;

describe("RFB handshake (RFC 6143 7.1-7.3)", () => {
  it("speaks 3.8 with security None and announces size and name", () => {
    const client = new ServerBench().connect();
    client.handshake();
    expect([client.width, client.height, client.name]).toEqual([200, 100, "Machine"]);
  });

  it.each([
    ["RFB 003.003\n", [0, 0, 0, 1]],
    ["RFB 003.007\n", [1, 1]],
    ["RFB 003.889\n", [0, 0, 0, 1]],
  ])("answers %j as that version does", (version, answer) => {
    const client = new ServerBench().connect();
    client.text(version);
    expect([...(client.channel.sent[1] ?? [])]).toEqual(answer);
  });

  it.each([
    ["another protocol", (client: TestClient) => client.text("GET / HTTP/1.1\r\n")],
    [
      "a security type that was not offered",
      (client: TestClient) => {
        client.text("RFB 003.008\n");
        client.send(2);
      },
    ],
  ])("sends away a viewer with %s", (_title, act) => {
    const bench = new ServerBench();
    const client = bench.connect();
    act(client);
    expect(client.channel.closed).toBe(true);
    expect(bench.refused).toHaveLength(1);
    expect(bench.server.viewers).toBe(0);
  });

  it("takes the handshake one byte at a time", () => {
    const client = new ServerBench().connect();
    for (const byte of new TextEncoder().encode("RFB 003.008\n\x01\x01")) client.send(byte);
    expect(client.channel.sent).toHaveLength(4);
  });
});

describe("framebuffer updates", () => {
  it.each([
    ["ZRLE", [ENCODING.ZRLE], ENCODING.ZRLE],
    ["raw, when the viewer likes that better", [ENCODING.RAW, ENCODING.ZRLE], ENCODING.RAW],
    ["raw, when nothing else is known", [7, 21], ENCODING.RAW],
  ])("come in %s", async (_title, encodings, expected) => {
    const bench = new ServerBench();
    bench.source.paint(ALL, noise);
    const client = await connected(bench, ...encodings);
    expect(client.rects.map(({ encoding }) => encoding)).toEqual([expected]);
    expect(client.pixels).toEqual(visible(bench.source.pixels));
  });

  it("come in raw without a deflate", async () => {
    const client = await connected(new ServerBench(200, 100, false), ENCODING.ZRLE);
    expect(client.rects[0]?.encoding).toBe(ENCODING.RAW);
  });

  it("carry only what changed, when something changed", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.ZRLE);
    client.rects.length = 0;
    client.requestUpdate();
    await bench.tick();
    await client.receive();
    expect(client.rects).toEqual([]);
    bench.source.paint({ x: 20, y: 20, width: 4, height: 4 }, () => 0x123456);
    await bench.tick();
    await client.receive();
    expect(client.rects).toEqual([{ x: 16, y: 16, width: 16, height: 16, encoding: ENCODING.ZRLE }]);
    expect(client.pixels).toEqual(visible(bench.source.pixels));
  });

  it("wait for a request without continuous updates", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW);
    client.rects.length = 0;
    bench.source.paint(ALL, () => 0xff);
    for (let i = 0; i < 3; i++) await bench.tick();
    await client.receive();
    expect(client.rects).toEqual([]);
  });

  it("go to every viewer, each at its own pace", async () => {
    const bench = new ServerBench();
    const first = await connected(bench, ENCODING.ZRLE);
    bench.source.paint({ x: 0, y: 0, width: 50, height: 50 }, noise);
    const second = await connected(bench, ENCODING.RAW);
    first.requestUpdate();
    await bench.tick();
    await first.receive();
    expect(first.pixels).toEqual(visible(bench.source.pixels));
    expect(second.pixels).toEqual(visible(bench.source.pixels));
  });

  it("show the last state only to a viewer whose channel was full, and never wait for it", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW);
    client.rects.length = 0;
    client.channel.bufferedBytes = 10_000_000;
    client.requestUpdate();
    for (let shade = 1; shade < 5; shade++) {
      bench.source.paint(ALL, () => shade);
      await bench.tick();
    }
    await client.receive();
    expect(client.rects).toEqual([]);
    client.channel.bufferedBytes = 0;
    await bench.tick();
    await client.receive();
    expect(client.rects).toHaveLength(1);
    expect(client.pixels[0]).toBe(4);
  });

  describe("that are films", () => {
    const film = (x: number, y: number) => noise(x, y);
    const text = (x: number, y: number) => ((x ^ y) & 8 ? 0xffffff : 0);
    /** Neighbours differ, and yet it compresses well. */
    const stripes = (x: number) => (x & 1 ? 0x123456 : 0x654321);

    async function start(...before: (readonly number[])[]) {
      const bench = new ServerBench(320, 200);
      const all = { x: 0, y: 0, width: 320, height: 200 };
      bench.source.paint(all, film);
      const client = await connected(bench, ENCODING.ZRLE);
      for (const message of before) client.send(message);
      return async (color: (x: number, y: number) => number) => {
        bench.source.paint(all, color);
        const compressions = bench.compressions;
        client.rects.length = 0;
        client.requestUpdate();
        await bench.tick();
        await client.receive();
        return { client, bench, encoding: client.rects[0]?.encoding, compressions: bench.compressions - compressions };
      };
    }

    it("are sent raw, and what is text meanwhile is compressed", async () => {
      const frame = await start();
      for (let number = 1; number <= 20; number++) {
        const { client, bench, ...how } = await frame((x, y) => film(x + number, y));
        expect(how).toEqual({ encoding: ENCODING.RAW, compressions: 0 });
        expect(client.pixels).toEqual(visible(bench.source.pixels));
      }
      expect(await frame(text)).toMatchObject({ encoding: ENCODING.ZRLE, compressions: 1 });
      expect(await frame(film)).toMatchObject({ encoding: ENCODING.RAW, compressions: 0 });
    });

    it("are compressed again once a sample says that it pays", async () => {
      const frame = await start();
      let raw = 0;
      while ((await frame((x) => stripes(x + raw))).encoding === ENCODING.RAW) raw++;
      expect(raw).toBe(64);
      const { client, bench } = await frame((x) => stripes(x + raw));
      expect(client.pixels).toEqual(visible(bench.source.pixels));
    });

    it("stay films when a sample says that it does not", async () => {
      const frame = await start();
      let compressions = 0;
      for (let number = 1; number <= 70; number++) {
        const how = await frame((x, y) => film(x + number, y));
        expect(how.encoding).toBe(ENCODING.RAW);
        compressions += how.compressions;
      }
      expect(compressions).toBe(1);
    });

    it("are stored in the stream for viewers with another pixel format", async () => {
      const frame = await start([0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
      const swapped = (pixel: number) => ((pixel & 0xff) << 16) | (pixel & 0xff00) | ((pixel >> 16) & 0xff);
      for (let number = 1; number <= 3; number++) {
        const { client, bench, ...how } = await frame((x, y) => film(x + number, y));
        expect(how).toEqual({ encoding: ENCODING.ZRLE, compressions: 0 });
        expect(client.pixels).toEqual(visible(bench.source.pixels).map(swapped));
      }
    });
  });

  it("are equal to the screen for any sequence of paints and pauses", async () => {
    const paint = fc.record({
      x: fc.nat({ max: 180 }),
      y: fc.nat({ max: 80 }),
      width: fc.integer({ min: 1, max: 20 }),
      height: fc.integer({ min: 1, max: 20 }),
      colors: fc.integer({ min: 1, max: 40 }),
      scroll: fc.boolean(),
      flush: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(paint, { minLength: 1, maxLength: 12 }), async (steps) => {
        const bench = new ServerBench();
        bench.source.paint(ALL, (x, y) => (noise(x, y) % 3) * 0x7f7f7f);
        const client = await connected(bench, ENCODING.COPY_RECT, ENCODING.ZRLE);
        for (const { colors, scroll, flush, ...rect } of steps) {
          bench.source.paint(rect, (x, y) => (noise(x, y) % colors) * 4099);
          if (scroll) bench.source.scrollUp(16);
          if (!flush) continue;
          client.requestUpdate();
          await bench.tick();
          await client.receive();
        }
        client.requestUpdate();
        await bench.tick();
        await client.receive();
        expect(client.pixels).toEqual(visible(bench.source.pixels));
      }),
      { numRuns: 40 },
    );
  });
});

describe("scrolling", () => {
  it("is copied by viewers that can, and only the new lines are sent", async () => {
    const bench = new ServerBench(200, 160);
    bench.source.paint({ x: 0, y: 0, width: 200, height: 160 }, noise);
    const client = await connected(bench, ENCODING.COPY_RECT, ENCODING.ZRLE);
    client.rects.length = 0;
    bench.source.scrollUp(16);
    client.requestUpdate();
    await bench.tick();
    await client.receive();
    expect(client.rects).toEqual([
      { x: 0, y: 0, width: 200, height: 144, encoding: ENCODING.COPY_RECT },
      { x: 0, y: 144, width: 200, height: 16, encoding: ENCODING.ZRLE },
    ]);
    expect(client.pixels).toEqual(visible(bench.source.pixels));
  });
});

describe("pixel formats", () => {
  const format = (bpp: number, depth: number, big: number, max: number[], shift: number[]) => [
    0,
    0,
    0,
    0,
    bpp,
    depth,
    big,
    1,
    ...max.flatMap((value) => [value >> 8, value & 0xff]),
    ...shift,
    0,
    0,
    0,
  ];

  it.each([
    ["32 bits BGRX", format(32, 24, 0, [255, 255, 255], [16, 8, 0]), 4, 0x112233],
    ["16 bits 565", format(16, 16, 0, [31, 63, 31], [11, 5, 0]), 2, (2 << 11) | (8 << 5) | 6],
    ["16 bits 565 big-endian", format(16, 16, 1, [31, 63, 31], [11, 5, 0]), 2, 0x0611],
    ["8 bits 332", format(8, 8, 0, [7, 7, 3], [0, 3, 6]), 1, 0 | (1 << 3) | (1 << 6)],
  ])("gives %s", async (_title, message, bytesPerPixel, expected) => {
    const bench = new ServerBench();
    bench.source.paint(ALL, () => 0x332211);
    const client = bench.connect();
    client.handshake();
    client.bytesPerPixel = bytesPerPixel;
    client.setEncodings(ENCODING.RAW);
    client.send(message);
    client.requestUpdate(false);
    await bench.tick();
    await client.receive();
    expect(client.pixels[0]).toBe(expected);
  });

  it("gives a colour map to a viewer without true colour", async () => {
    const bench = new ServerBench();
    const client = bench.connect();
    client.handshake();
    client.bytesPerPixel = 1;
    const message = format(8, 8, 0, [0, 0, 0], [0, 0, 0]);
    message[7] = 0;
    client.send(message);
    client.requestUpdate(false);
    await bench.tick();
    await client.receive();
    expect(client.otherMessages).toEqual([1]);
  });

  it.each([
    ["24 bits a pixel", format(24, 24, 0, [255, 255, 255], [16, 8, 0])],
    ["a shift beyond the pixel", format(16, 16, 0, [31, 63, 31], [200, 5, 0])],
    ["a maximum that is no mask", format(32, 24, 0, [255, 100, 255], [16, 8, 0])],
  ])("refuses %s", (_title, message) => {
    const bench = new ServerBench();
    const client = bench.connect();
    client.handshake();
    client.send(message);
    expect(client.channel.closed).toBe(true);
  });
});

describe("pseudo-encodings", () => {
  it("resizes viewers that can be resized", async () => {
    const bench = new ServerBench();
    const extended = await connected(bench, ENCODING.ZRLE, ENCODING.EXTENDED_DESKTOP_SIZE);
    const plain = await connected(bench, ENCODING.RAW, ENCODING.DESKTOP_SIZE);
    bench.source.resize(320, 40);
    bench.source.paint({ x: 300, y: 30, width: 4, height: 4 }, () => 0xabcdef);
    for (const client of [extended, plain]) client.requestUpdate();
    await bench.tick();
    for (const client of [extended, plain]) {
      await client.receive();
      expect([client.width, client.height]).toEqual([320, 40]);
      expect(client.pixels).toEqual(visible(bench.source.pixels));
    }
  });

  it("cuts the picture for a viewer that can't be resized", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW);
    bench.source.resize(400, 400);
    client.requestUpdate();
    await bench.tick();
    await client.receive();
    expect(client.rects.at(-1)).toMatchObject({ x: 0, width: 200 });
    bench.source.resize(10, 10);
    client.requestUpdate();
    await bench.tick();
    await client.receive();
    expect(client.rects.at(-1)).toMatchObject({ width: 10, height: 10 });
  });

  it("refuses a viewer's wish for another size, politely", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW, ENCODING.EXTENDED_DESKTOP_SIZE);
    client.send(251, 0, 4, 0, 3, 0, 1, 0, new Array(16).fill(0));
    client.requestUpdate();
    await bench.tick();
    await client.receive();
    expect(client.rects.at(-1)).toMatchObject({ x: 1, y: 1, width: 200, encoding: -308 });
  });

  it("hands a viewer's wish for another size on to a guest that can follow", async () => {
    const bench = new ServerBench(200, 100, true, true);
    const client = await connected(bench, ENCODING.RAW, ENCODING.EXTENDED_DESKTOP_SIZE);
    client.send(251, 0, 4, 0, 3, 0, 1, 0, new Array(16).fill(0));
    client.requestUpdate();
    await bench.tick();
    await client.receive();
    expect(bench.resized).toEqual([[1024, 768]]);
    expect(client.rects.at(-1)).toMatchObject({ x: 1, y: 4, width: 200, encoding: -308 });
  });

  it("acknowledges scan codes and extended buttons, sends name and lights", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW, -258, -316, -307, -261);
    expect(client.rects.map(({ encoding }) => encoding)).toEqual([-258, -316, -307, -261, 0]);
    bench.leds = 4;
    client.requestUpdate();
    await bench.tick();
    await client.receive();
    expect(client.leds).toBe(4);
  });

  it("sends continuous updates, two at most before the viewer confirms", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW, ENCODING.FENCE, ENCODING.CONTINUOUS_UPDATES);
    expect(client.otherMessages).toContain(150);
    client.send(150, 1, 0, 0, 0, 0, 0, 200, 0, 100);
    const confirm = () => client.send(248, 0, 0, 0, 0, 0, 0, 1, 0);
    confirm();
    client.rects.length = 0;
    for (let shade = 1; shade <= 5; shade++) {
      bench.source.paint(ALL, () => shade);
      await bench.tick();
    }
    await client.receive();
    expect(client.rects).toHaveLength(2);
    confirm();
    await bench.tick();
    await client.receive();
    expect(client.rects).toHaveLength(3);
    expect(client.pixels[0]).toBe(5);
  });

  it("answers a viewer's fence with its payload", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW, ENCODING.FENCE);
    client.channel.sent.length = 0;
    client.send(248, 0, 0, 0, 0x80, 0, 0, 5, 2, 7, 8);
    expect([...(client.channel.sent[0] ?? [])]).toEqual([248, 0, 0, 0, 0, 0, 0, 1, 2, 7, 8]);
  });
});

describe("input", () => {
  it("passes scan codes on, with E0 keys in bit 7", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW, -258);
    client.send(255, 0, 0, 1, 0, 0, 0xff, 0x51, 0, 0, 0, 0xcb);
    client.send(255, 0, 0, 0, 0, 0, 0xff, 0x51, 0, 0, 0, 0xcb);
    expect(bench.keys).toEqual([
      [0xcb, true],
      [0xcb, false],
    ]);
  });

  it("knows Print Screen and Pause by the names viewers give them", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW, -258);
    client.send(255, 0, 0, 1, 0, 0, 0xff, 0x61, 0, 0, 0, 0x54);
    client.send(255, 0, 0, 1, 0, 0, 0xff, 0x13, 0, 0, 0, 0xc6);
    client.send(4, 1, 0, 0, 0, 0, 0xff, 0x13);
    expect(bench.keys.map(([code]) => code)).toEqual([0xb7, 0xc5, 0xc5]);
  });

  it("types characters on a US keyboard for viewers without scan codes", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW);
    const key = (keysym: number, down: number) => client.send(4, down, 0, 0, 0, 0, keysym >> 8, keysym & 0xff);
    // Shift is missing for '!' and too much for '/'.
    key(0x21, 1);
    key(0x21, 0);
    key(0xffe1, 1);
    key(0x2f, 1);
    expect(bench.keys).toEqual([
      [0x2a, true],
      [0x02, true],
      [0x2a, false],
      [0x02, false],
      [0x2a, true],
      [0x2a, false],
      [0x35, true],
      [0x2a, true],
    ]);
  });

  it("releases keys and buttons of a viewer that goes away", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW, -258);
    client.send(255, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x1d);
    client.send(5, 1, 0, 10, 0, 10);
    client.channel.onClose?.();
    expect(bench.keys.at(-1)).toEqual([0x1d, false]);
    expect(bench.pointer.at(-1)?.buttons).toBe(0);
    expect(bench.server.viewers).toBe(0);
  });

  it("turns positions into motion, and button masks into buttons and wheel", async () => {
    const bench = new ServerBench();
    const client = await connected(bench, ENCODING.RAW);
    client.send(5, 0, 0, 10, 0, 10);
    client.send(5, 0b00101, 0, 13, 0, 8);
    client.send(5, 0b10000, 0, 13, 0, 8);
    client.send(5, 0x80, 0, 14, 0, 8, 1);
    expect(bench.pointer.map(({ dx, dy, wheel, buttons }) => [dx, dy, wheel, buttons])).toEqual([
      [0, 0, 0, 0],
      [3, -2, 0, 3],
      [0, 0, 1, 0],
      [1, 0, 0, 0],
    ]);
    expect(bench.pointer.at(-1)).toMatchObject({ x: 14, y: 8, width: 200, height: 100 });
  });
});

describe("the pace", () => {
  it("does not look at the machine while nobody looks at it", async () => {
    const bench = new ServerBench();
    expect(bench.nextLookMs).toBeUndefined();
    const client = await connected(bench, ENCODING.RAW);
    await bench.tick();
    const renders = bench.source.renders;
    expect(bench.nextLookMs).toBeUndefined();
    client.channel.onClose?.();
    await bench.tick();
    expect(bench.source.renders).toBe(renders);
  });

  it("slows down while nothing happens and wakes up on input", async () => {
    const bench = new ServerBench(16, 16);
    const client = await connected(bench, ENCODING.RAW);
    client.requestUpdate();
    expect(bench.nextLookMs).toBe(16);
    for (let i = 0; i < 70; i++) await bench.tick();
    expect(bench.nextLookMs).toBe(50);
    client.send(5, 0, 0, 1, 0, 1);
    expect(bench.nextLookMs).toBe(16);
  });
});

describe("hostile viewers", () => {
  it.each([
    ["an unknown message", [99]],
    ["a huge clipboard", [6, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]],
    ["an unknown QEMU message", [255, 1]],
    ["a fat fence", [248, 0, 0, 0, 0, 0, 0, 0, 200]],
  ])("are sent away for %s", (_title, bytes) => {
    const bench = new ServerBench();
    const client = bench.connect();
    client.handshake();
    client.send(bytes);
    expect(client.channel.closed).toBe(true);
    expect(bench.refused).toHaveLength(1);
  });

  it("may paste in pieces", () => {
    const bench = new ServerBench();
    const client = bench.connect();
    client.handshake();
    client.send(6, 0, 0, 0, 0, 0, 0, 5, 1, 2);
    client.send(3, 4, 5, 4, 1, 0, 0, 0, 0, 0, 0x61);
    expect(bench.keys).toEqual([[0x1e, true]]);
  });

  it("never make the server throw", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }),
        fc.boolean(),
        async (pieces, afterHandshake) => {
          const bench = new ServerBench(40, 30);
          const client = bench.connect();
          if (afterHandshake) client.handshake();
          for (const piece of pieces) client.channel.onData?.(piece);
          await bench.tick();
          bench.server.dispose();
          expect(bench.server.viewers).toBe(0);
          // Every key that went down came up again.
          const held = new Set<number>();
          for (const [code, down] of bench.keys) {
            if (down) held.add(code);
            else held.delete(code);
          }
          expect(held.size).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
});
