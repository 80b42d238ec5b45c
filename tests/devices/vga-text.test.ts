import { describe, expect, it } from "vitest";
import { defaultFont, FONT_HEIGHT } from "../../native-core/devices/vga/font/default-font.ts";
import { VgaBench } from "./vga-support.ts";

const HALF_SECOND = 500_000_000n;

describe("VGA text mode", () => {
  it("is on after reset: 80x25 cells of 9x16 dots, as a BIOS leaves it", () => {
    const bench = new VgaBench();
    expect(bench.vga.display.size()).toEqual({ width: 720, height: 400 });
    expect(bench.render()).not.toEqual([]);
  });

  it("draws characters and box lines with the default font, joining lines across cells", () => {
    const bench = new VgaBench();
    bench.out(0x3d4, 0x0a | (0x20 << 8), 2);
    bench.cell(0, 0, "A\xc9\xcd");
    bench.render();
    expect(bench.dots(0, 0, 27, 16)).toEqual([
      "...........................",
      "...........................",
      "..###......................",
      ".##.##.....................",
      "##...##....................",
      "##...##....................",
      "##...##...#################",
      "#######...##...............",
      "##...##...##..#############",
      "##...##...##..##...........",
      "##...##...##..##...........",
      "##...##...##..##...........",
      "..........##..##...........",
      "..........##..##...........",
      "..........##..##...........",
      "..........##..##...........",
    ]);
  });

  it("reports only the cells that changed", () => {
    const bench = new VgaBench();
    bench.render();
    expect(bench.render()).toEqual([]);
    bench.cell(3, 10, "hello");
    expect(bench.render()).toEqual([{ x: 90, y: 48, width: 45, height: 16 }]);
    bench.cell(3, 10, "hallo");
    expect(bench.render()).toEqual([{ x: 99, y: 48, width: 9, height: 16 }]);
  });

  it("moves the cursor without drawing the rest", () => {
    const bench = new VgaBench();
    bench.render();
    bench.index(0x3d4, 0x0e, 0);
    bench.index(0x3d4, 0x0f, 81);
    expect(bench.render()).toEqual([{ x: 0, y: 0, width: 18, height: 32 }]);
    expect(bench.dots(9, 16, 9, 16).filter((line) => line === "#########")).toHaveLength(2);
  });

  it("blinks the cursor and blinking characters by virtual time", () => {
    const bench = new VgaBench();
    bench.cell(1, 1, "X", 0x87);
    bench.render();
    expect(bench.dots(9, 16, 9, 16).join("")).toContain("#");
    bench.nowNs += HALF_SECOND + HALF_SECOND / 5n;
    bench.render();
    expect(bench.dots(9, 16, 9, 16).join("")).not.toContain("#");
  });

  it("takes bit 7 as bright background when blinking is off", () => {
    const bench = new VgaBench();
    bench.attribute(0x10, 0x04);
    bench.cell(1, 1, " ", 0xc7);
    bench.render();
    expect(bench.pixel(10, 20)).toBe("ff5555");
  });

  it("uses colours of the DAC through the attribute palette", () => {
    const bench = new VgaBench();
    bench.cell(0, 5, "\xdb", 0x06);
    bench.render();
    expect(bench.pixel(46, 3)).toBe("aa5500");
    bench.out(0x3c8, 0x14);
    for (const component of [63, 0, 63]) bench.out(0x3c9, component);
    bench.render();
    expect(bench.pixel(46, 3)).toBe("ff00ff");
  });

  it("shows a font that the guest loads into plane 2", () => {
    const bench = new VgaBench();
    bench.cell(0, 4, "Z");
    bench.render();
    // As a console driver does it: plane 2 alone, sequential, at A0000h.
    bench.index(0x3c4, 2, 0x04);
    bench.index(0x3c4, 4, 0x07);
    bench.index(0x3ce, 6, 0x00);
    bench.index(0x3ce, 5, 0x00);
    for (let line = 0; line < 16; line++) bench.bus.writeMmio(0xa0000 + 0x5a * 32 + line, 1, 0xaa);
    bench.index(0x3c4, 2, 0x03);
    bench.index(0x3c4, 4, 0x02);
    bench.index(0x3ce, 6, 0x0e);
    bench.index(0x3ce, 5, 0x10);
    bench.render();
    expect(bench.dots(36, 3, 9, 1)).toEqual(["#.#.#.#.."]);
  });

  it("scrolls by start address", () => {
    const bench = new VgaBench();
    bench.cell(1, 0, "\xdb");
    bench.index(0x3d4, 0x0d, 80);
    bench.render();
    expect(bench.pixel(2, 2)).toBe("aaaaaa");
  });

  it("reads back what was written, bytes and words", () => {
    const bench = new VgaBench();
    bench.bus.writeMmio(0xb8000, 4, 0x1f42_1f41);
    expect(bench.bus.readMmio(0xb8000, 4)).toBe(0x1f42_1f41);
    expect(bench.bus.readMmio(0xa0000, 1)).toBe(0xff);
  });

  it("goes dark when the sequencer or the attribute controller says so", () => {
    const bench = new VgaBench();
    bench.cell(0, 0, "\xdb\xdb");
    bench.render();
    bench.index(0x3c4, 1, 0x20);
    expect(bench.render()).toEqual([{ x: 0, y: 0, width: 720, height: 400 }]);
    expect(bench.pixel(2, 2)).toBe("000000");
    bench.index(0x3c4, 1, 0x00);
    bench.render();
    expect(bench.pixel(2, 2)).toBe("aaaaaa");
  });

  it("has a glyph for every printable character, all of them different", () => {
    const font = defaultFont();
    const seen = new Set<string>();
    for (let code = 0x21; code < 0x7f; code++) {
      seen.add(font.subarray(code * FONT_HEIGHT, (code + 1) * FONT_HEIGHT).join());
    }
    expect(seen.size).toBe(0x7f - 0x21);
    expect(seen.has(new Uint8Array(FONT_HEIGHT).join())).toBe(false);
  });
});

describe("VGA registers", () => {
  it("toggles retrace in the input status and resets the attribute flip-flop", () => {
    const bench = new VgaBench();
    const seen = new Set<number>();
    for (let step = 0; step < 400; step++) {
      bench.nowNs += 100_000n;
      seen.add(bench.bus.readPort(0x3da, 1) & 0x08);
    }
    expect(seen).toEqual(new Set([0, 8]));
    bench.out(0x3c0, 0x31);
    bench.bus.readPort(0x3da, 1);
    bench.out(0x3c0, 0x32);
    expect(bench.bus.readPort(0x3c0, 1)).toBe(0);
    bench.bus.readPort(0x3da, 1);
    expect(bench.bus.readPort(0x3c0, 1)).toBe(0x32);
  });

  it("protects CRTC 0-7 except the line compare bit", () => {
    const bench = new VgaBench();
    bench.index(0x3d4, 0x01, 0x27);
    bench.out(0x3d4, 0x01);
    expect(bench.bus.readPort(0x3d5, 1)).toBe(0x4f);
    bench.index(0x3d4, 0x07, 0x00);
    bench.out(0x3d4, 0x07);
    expect(bench.bus.readPort(0x3d5, 1)).toBe(0x0f);
  });

  it("answers at 3Bxh instead of 3Dxh in monochrome addressing", () => {
    const bench = new VgaBench();
    bench.out(0x3c2, 0x66);
    expect(bench.bus.readPort(0x3d5, 1)).toBe(0xff);
    bench.index(0x3b4, 0x0f, 0x12);
    expect(bench.bus.readPort(0x3b5, 1)).toBe(0x12);
  });

  it("steps through DAC components on writes and reads", () => {
    const bench = new VgaBench();
    bench.out(0x3c8, 200);
    for (const value of [1, 2, 3, 4, 5, 255]) bench.out(0x3c9, value);
    bench.out(0x3c7, 200);
    expect(bench.bus.readPort(0x3c7, 1)).toBe(3);
    expect([1, 2, 3, 4, 5, 6].map(() => bench.bus.readPort(0x3c9, 1))).toEqual([1, 2, 3, 4, 5, 63]);
  });
});
