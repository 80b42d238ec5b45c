import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LFB, MMIO, VgaBench } from "./vga-support.ts";

describe("mode 12h: 640x480 in four planes", () => {
  it("writes through map mask, bit mask and set/reset (write mode 0)", () => {
    const bench = new VgaBench();
    bench.setGraphics(0x12);
    expect(bench.vga.display.size()).toEqual({ width: 640, height: 480 });
    bench.index(0x3ce, 0, 0x05);
    bench.index(0x3ce, 1, 0x0f);
    bench.index(0x3ce, 8, 0x80);
    bench.bus.readMmio(0xa0000 + 80, 1);
    bench.bus.writeMmio(0xa0000 + 80, 1, 0xff);
    bench.render();
    expect(bench.pixel(0, 1)).toBe("aa00aa");
    expect(bench.pixel(1, 1)).toBe("000000");
  });

  it("copies all planes through the latches (write mode 1)", () => {
    const bench = new VgaBench();
    bench.setGraphics(0x12);
    bench.vram.bytes.set([1, 2, 3, 4], 40);
    bench.index(0x3ce, 5, 0x01);
    bench.bus.readMmio(0xa000a, 1);
    bench.bus.writeMmio(0xa0014, 1, 0);
    expect([...bench.vram.bytes.subarray(80, 84)]).toEqual([1, 2, 3, 4]);
  });

  it("writes a colour to all planes (write mode 2) with a logical function", () => {
    const bench = new VgaBench();
    bench.setGraphics(0x12);
    bench.vram.bytes.set([0xff, 0, 0xff, 0], 0);
    bench.index(0x3ce, 5, 0x02);
    bench.index(0x3ce, 3, 0x18);
    bench.bus.readMmio(0xa0000, 1);
    bench.bus.writeMmio(0xa0000, 1, 0x03);
    expect([...bench.vram.bytes.subarray(0, 4)]).toEqual([0, 0xff, 0xff, 0]);
  });

  it("uses the rotated data as a bit mask (write mode 3)", () => {
    const bench = new VgaBench();
    bench.setGraphics(0x12);
    bench.index(0x3ce, 0, 0x0f);
    bench.index(0x3ce, 5, 0x03);
    bench.index(0x3ce, 3, 0x04);
    bench.bus.readMmio(0xa0000, 1);
    bench.bus.writeMmio(0xa0000, 1, 0x0f);
    expect([...bench.vram.bytes.subarray(0, 4)]).toEqual([0xf0, 0xf0, 0xf0, 0xf0]);
  });

  it("compares colours (read mode 1) and selects planes (read mode 0)", () => {
    const bench = new VgaBench();
    bench.setGraphics(0x12);
    bench.vram.bytes.set([0b1100, 0b1010, 0, 0], 0);
    bench.index(0x3ce, 4, 1);
    expect(bench.bus.readMmio(0xa0000, 1)).toBe(0b1010);
    bench.index(0x3ce, 5, 0x08);
    bench.index(0x3ce, 2, 0x03);
    expect(bench.bus.readMmio(0xa0000, 1)).toBe(0b1000);
  });

  it("reports only the lines and columns that changed", () => {
    const bench = new VgaBench();
    bench.setGraphics(0x12);
    bench.render();
    bench.bus.writeMmio(0xa0000 + 80 * 10 + 2, 1, 0x3c);
    expect(bench.render()).toEqual([{ x: 18, y: 10, width: 4, height: 1 }]);
  });
});

describe("mode 13h: 320x200 in 256 colours", () => {
  it("shows chained bytes through the DAC", () => {
    const bench = new VgaBench();
    bench.setGraphics(0x13);
    expect(bench.vga.display.size()).toEqual({ width: 320, height: 200 });
    bench.out(0x3c8, 77);
    for (const component of [63, 32, 0]) bench.out(0x3c9, component);
    bench.bus.writeMmio(0xa0000 + 320 * 2 + 5, 1, 77);
    bench.render();
    expect(bench.pixel(5, 2)).toBe("ff8200");
  });

  it("shows the same pixels unchained, plane by plane", () => {
    const bench = new VgaBench();
    bench.setGraphics(0x13);
    bench.index(0x3c4, 4, 0x06);
    bench.index(0x3c4, 2, 0x02);
    bench.bus.writeMmio(0xa0000 + 1, 1, 9);
    expect(bench.vram.bytes[5]).toBe(9);
    bench.render();
    expect(bench.pixel(5, 0)).not.toBe("000000");
  });

  it("splits the screen at line compare", () => {
    const bench = new VgaBench();
    bench.setGraphics(0x13);
    bench.vram.bytes[0] = 0x3f;
    bench.index(0x3d4, 0x0c, 0x40);
    bench.index(0x3d4, 0x07, 0x0f);
    bench.index(0x3d4, 0x09, 0x01);
    bench.index(0x3d4, 0x18, 199);
    bench.render(true);
    expect(bench.pixel(0, 0)).toBe("000000");
    expect(bench.pixel(0, 100)).toBe("ffffff");
  });
});

describe("Bochs VBE", () => {
  it("identifies itself and its limits", () => {
    const bench = new VgaBench();
    expect(bench.readVbe(0)).toBe(0xb0c5);
    expect(bench.readVbe(10)).toBe(256);
    bench.vbe(4, 2);
    expect([bench.readVbe(1), bench.readVbe(2), bench.readVbe(3)]).toEqual([2560, 1600, 32]);
  });

  it.each([
    [32, [0x33, 0x22, 0x11, 0x00], "112233"],
    [24, [0x33, 0x22, 0x11], "112233"],
    [16, [0x1f, 0xf8], "ff00ff"],
    [15, [0xe0, 0x03], "00ff00"],
    [8, [0x3f], "ffffff"],
  ])("shows %i bits a pixel", (bpp, bytes, expected) => {
    const bench = new VgaBench();
    bench.setVbeMode(800, 600, bpp);
    bytes.forEach((byte, at) => bench.bus.writeMmio(LFB + at, 1, byte));
    bench.render();
    expect(bench.vga.display.size()).toEqual({ width: 800, height: 600 });
    expect(bench.pixel(0, 0)).toBe(expected);
  });

  it("fits 2560x1600 at 32 bits and refuses what does not fit", () => {
    const bench = new VgaBench();
    bench.setVbeMode(2560, 1600, 32);
    expect(bench.vga.display.size()).toEqual({ width: 2560, height: 1600 });
    bench.vbe(6, 4000);
    expect(bench.readVbe(6)).toBe(2560);
  });

  it("redraws only dirty lines, and of them only what differs", () => {
    const bench = new VgaBench();
    bench.setVbeMode(1024, 768, 32);
    bench.render();
    bench.bus.writeMmio(LFB + (100 * 1024 + 50) * 4, 4, 0xffffff);
    bench.bus.writeMmio(LFB + (102 * 1024 + 60) * 4, 4, 0xffffff);
    expect(bench.render()).toEqual([
      { x: 50, y: 100, width: 1, height: 1 },
      { x: 60, y: 102, width: 1, height: 1 },
    ]);
    expect(bench.render()).toEqual([]);
  });

  it("pans inside a larger virtual screen", () => {
    const bench = new VgaBench();
    bench.setVbeMode(640, 480, 32);
    bench.vbe(6, 1024);
    expect(bench.readVbe(7)).toBe(4096);
    bench.bus.writeMmio(LFB + (480 * 1024 + 8) * 4, 4, 0x00ff00);
    bench.vbe(8, 8);
    bench.vbe(9, 480);
    bench.render();
    expect(bench.pixel(0, 0)).toBe("00ff00");
    bench.vbe(9, 60_000);
    expect(bench.readVbe(9)).toBe(4096 - 480);
  });

  it("clears memory on a mode set unless asked not to, and goes back to text", () => {
    const bench = new VgaBench();
    bench.setVbeMode(640, 480, 32);
    bench.bus.writeMmio(LFB, 4, 0xffffff);
    bench.vbe(4, 0);
    bench.vbe(4, 0xc1);
    expect(bench.bus.readMmio(LFB, 4)).toBe(0xffffff);
    bench.vbe(4, 0);
    bench.vbe(4, 0x41);
    expect(bench.bus.readMmio(LFB, 4)).toBe(0);
  });

  it("reaches all of video memory through the 64 KiB bank", () => {
    const bench = new VgaBench();
    bench.setVbeMode(640, 480, 8);
    bench.vbe(5, 3);
    bench.bus.writeMmio(0xa0010, 1, 0x42);
    expect(bench.bus.readMmio(LFB + 0x30010, 1)).toBe(0x42);
  });

  it.each([4, 32, 64])("tells the guest of %i MiB of video memory and decodes all of it", (mebibytes) => {
    const bench = new VgaBench(mebibytes << 20);
    bench.out(0x1ce, 0x0a, 2);
    expect(bench.bus.readPort(0x1cf, 2)).toBe(mebibytes * 16);
    bench.vga.pci.writeConfig(0x10, 4, 0xffff_ffff);
    expect(bench.vga.pci.readConfig(0x10, 4) & ~0xf).toBe(-(mebibytes << 20));
  });

  it("starts in a linear mode for a kernel without a driver", () => {
    const bench = new VgaBench();
    const mode = bench.vga.setLinearMode(1024, 768, 32);
    expect(mode).toMatchObject({ width: 1024, height: 768, strideBytes: 4096, startBytes: 0 });
    expect(bench.vga.display.size()).toEqual({ width: 1024, height: 768 });
  });
});

describe("the MMIO BAR as bochs-drm uses it", () => {
  it("holds an EDID with a valid checksum and the preferred mode", () => {
    const bench = new VgaBench();
    const edid = Array.from({ length: 128 }, (_, at) => bench.bus.readMmio(MMIO + at, 1));
    expect(edid.slice(0, 8)).toEqual([0, 255, 255, 255, 255, 255, 255, 0]);
    expect(edid.reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
    const [wide, high] = [edid[56]! | ((edid[58]! >> 4) << 8), edid[59]! | ((edid[61]! >> 4) << 8)];
    expect([wide, high]).toEqual([1024, 768]);
  });

  it("sets modes through the DISPI window and unblanks through the VGA window", () => {
    const bench = new VgaBench();
    const dispi = (index: number, value: number) => bench.bus.writeMmio(MMIO + 0x500 + index * 2, 2, value);
    expect(bench.bus.readMmio(MMIO + 0x500, 2)).toBe(0xb0c5);
    dispi(4, 0);
    dispi(3, 32);
    dispi(1, 1280);
    dispi(2, 800);
    dispi(4, 0x41);
    bench.bus.readMmio(MMIO + 0x41a, 1);
    bench.bus.writeMmio(MMIO + 0x400, 1, 0x20);
    expect(bench.vga.display.size()).toEqual({ width: 1280, height: 800 });
    expect(bench.bus.readMmio(MMIO + 0x600, 4)).toBe(8);
    expect(bench.bus.readMmio(MMIO + 0x604, 4)).toBe(0x1e1e1e1e);
  });
});

describe("VGA saved state", () => {
  it("restores the same picture and saves the same state again", () => {
    const bench = new VgaBench();
    bench.setVbeMode(800, 600, 16);
    bench.vbe(6, 1024);
    bench.vbe(9, 3);
    bench.bus.writeMmio(LFB + 3 * 2048, 2, 0xf800);
    bench.render();
    const state = bench.vga.stateSchema.parse(structuredClone(bench.vga.save()));
    const other = new VgaBench();
    other.vga.restore(state);
    expect(other.vga.save()).toEqual(state);
    other.render();
    expect(other.pixel(0, 0)).toBe("ff0000");
    expect(other.pixels).toEqual(bench.pixels);
  });

  it("refuses video memory whose pages and content disagree", () => {
    const bench = new VgaBench();
    const state = bench.vga.save();
    const spoiled = { ...state, vram: { pages: [0, 1], content: new Uint8Array(4096) } };
    expect(bench.vga.stateSchema.safeParse(spoiled).success).toBe(false);
  });
});

describe("a hostile guest", () => {
  it("never makes the adapter or its picture throw", () => {
    const port = fc.oneof(
      fc.integer({ min: 0x3b4, max: 0x3df }),
      fc.constantFrom(0x1ce, 0x1cf, 0x3c4, 0x3c5, 0x3ce, 0x3cf, 0x3d4, 0x3d5, 0x3c0),
    );
    const step = fc.oneof(
      fc.record({ kind: fc.constant("port" as const), at: port, value: fc.nat({ max: 0xffff }) }),
      fc.record({
        kind: fc.constant("vbe" as const),
        at: fc.nat({ max: 12 }),
        value: fc.oneof(fc.nat({ max: 0xffff }), fc.constantFrom(0x41, 4, 8, 15, 16, 24, 32, 640)),
      }),
      fc.record({
        kind: fc.constant("memory" as const),
        at: fc.integer({ min: 0xa0000, max: 0xbfffc }),
        value: fc.nat({ max: 0xffff }),
      }),
      fc.record({
        kind: fc.constant("mmio" as const),
        at: fc.integer({ min: MMIO, max: MMIO + 0xffc }),
        value: fc.nat({ max: 0xffff }),
      }),
    );
    const bench = new VgaBench();
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        bench.vga.reset();
        for (const { kind, at, value } of steps) {
          if (kind === "port") bench.out(at, value, value & 1 ? 1 : 2);
          else if (kind === "vbe") bench.vbe(at, value);
          else bench.bus.writeMmio(at, 2, value);
          if (kind === "memory" || kind === "mmio") bench.bus.readMmio(at, 4);
        }
        const { width, height } = bench.vga.display.size();
        for (const { x, y, width: w, height: h } of bench.render()) {
          expect(x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= width && y + h <= height).toBe(true);
        }
        expect(bench.vga.stateSchema.safeParse(bench.vga.save()).error).toBeUndefined();
      }),
      { numRuns: 150 },
    );
  });
});

describe("a hostile saved state", () => {
  it("that the schema lets through never makes the adapter or its picture throw", () => {
    const byteArray = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const bench = new VgaBench();
    const honest = bench.vga.save();
    fc.assert(
      fc.property(
        byteArray(8),
        byteArray(16),
        byteArray(32),
        byteArray(32),
        fc.array(fc.oneof(fc.nat({ max: 0xffff }), fc.constantFrom(1, 4, 8, 16, 24, 32, 640)), {
          minLength: 11,
          maxLength: 11,
        }),
        (sequencer, graphics, crtc, attribute, registers) => {
          const state = bench.vga.stateSchema.parse({
            ...honest,
            registers: { ...honest.registers, sequencer, graphics, crtc, attribute, attributeIndex: 0x20 },
            vbe: { index: 0xffff, registers },
          });
          bench.vga.restore(state);
          const { width, height } = bench.vga.display.size();
          expect(width * height).toBeLessThanOrEqual(2560 * 1600);
          for (const rect of bench.render()) expect(rect.y + rect.height).toBeLessThanOrEqual(height);
          bench.bus.readMmio(0xa1234, 4);
          bench.bus.writeMmio(0xb8000, 4, 0x12345678);
        },
      ),
      { numRuns: 100 },
    );
  });
});
