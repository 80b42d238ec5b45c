// Guest memory as devices see it.
import { describe, expect, it } from "vitest";
import { GuestRam } from "../../../native-core/memory/guest-ram.ts";

const RAM = 0x10_0000;

function ram() {
  const voided: [number, number][] = [];
  let flushes = 0;
  const flags = new Uint8Array(RAM / 4096 + 1);
  const memory = new GuestRam({
    bytes: new Uint8Array(RAM + 4096),
    ramBytes: RAM,
    vramBytes: 4096,
    flags,
    voidCode: (address, length) => voided.push([address, length]),
    flagsChanged: () => flushes++,
  });
  return { memory, flags, voided, flushes: () => flushes };
}

describe("guest memory", () => {
  it("reads what was written, in little-endian order", () => {
    const { memory } = ram();
    memory.writeU32(0x1000, 0x1234_5678);
    expect(memory.readU16(0x1000)).toBe(0x5678);
    memory.writeU64(0x1ffc, 0x1122_3344_5566_7788n);
    expect(memory.readU64(0x1ffc)).toBe(0x1122_3344_5566_7788n);
  });

  it("outside RAM reads as all ones and ignores writes, also where a range runs out of it", () => {
    const { memory } = ram();
    memory.write(RAM - 2, Uint8Array.of(1, 2, 3, 4));
    const target = new Uint8Array(4);
    memory.read(RAM - 2, target);
    expect([...target]).toEqual([1, 2, 0xff, 0xff]);
    expect(memory.readU32(RAM)).toBe(0xffff_ffff);
    expect(memory.readU64(2 ** 40)).toBe(0xffff_ffff_ffff_ffffn);
    expect(memory.vram.every((byte) => byte === 0)).toBe(true);
  });

  it("the legacy video window is no RAM", () => {
    const { memory } = ram();
    memory.write(0x9_fffe, Uint8Array.of(1, 2, 3, 4));
    memory.writeU16(0xb_8000, 0x1234);
    const target = new Uint8Array(4);
    memory.read(0x9_fffe, target);
    expect([...target]).toEqual([1, 2, 0xff, 0xff]);
    expect(memory.bytes()[0xb_8000]).toBe(0);
  });

  it("marks every page of a write dirty", () => {
    const { memory } = ram();
    memory.write(0x2ffe, new Uint8Array(0x1004));
    expect([...memory.dirtyPages()]).toEqual([2, 3, 4]);
    memory.clearDirty();
    expect([...memory.dirtyPages()]).toEqual([]);
  });

  it("voids translated code in the bytes that are written, page by page", () => {
    const { memory, flags, voided } = ram();
    flags[2] = 2;
    memory.write(0x1ffe, new Uint8Array(8));
    expect(voided).toEqual([[0x2000, 6]]);
  });

  it("lends RAM for transfers beside the vCPU, whose pages are written at the end once more", () => {
    const { memory, flags, voided } = ram();
    const lent = memory.lend(0x1800, 0x1000, true);
    expect([...memory.dirtyPages()]).toEqual([1, 2]);
    memory.clearDirty();
    flags[2] = 2;
    lent?.fill(7);
    memory.written(0x1800, 0x1000);
    expect([...memory.dirtyPages()]).toEqual([1, 2]);
    expect(voided).toEqual([[0x2000, 0x800]]);
    expect(memory.readU16(0x27fe)).toBe(0x0707);
    expect(memory.lend(0x9_f000, 0x2000, true)).toBeUndefined();
    expect(memory.lend(memory.sizeBytes - 1, 2, false)).toBeUndefined();
  });

  it("brings missing pages before they are read or written", () => {
    const { memory, flags } = ram();
    flags[1] = 4;
    memory.onMissing = (page) => {
      flags[page] = 0;
      memory.bytes().fill(9, page * 4096, (page + 1) * 4096);
    };
    memory.write(0x1000, Uint8Array.of(1));
    expect(memory.readU16(0x1000)).toBe(0x0901);
  });

  it("locked pages are read, and lose what is written to them until they are unlocked", () => {
    const { memory, flags, flushes } = ram();
    memory.writeU32(0xc_0ffe, 0x1234_5678);
    memory.setReadOnly(0xc_0000, 0x1000, true);
    expect(flushes()).toBe(1);
    memory.writeU16(0xc_0000, 0xffff);
    memory.writeU32(0xc_0ffe, 0);
    memory.write(0xb_fffe, new Uint8Array(0x2000).fill(7));
    expect([memory.readU16(0xc_0000), memory.readU16(0xc_0ffe), memory.readU16(0xc_1000)]).toEqual([0, 0x5678, 0x0707]);
    expect(memory.lend(0xc_0800, 16, true)).toBeUndefined();
    expect(memory.lend(0xc_0ffc, 4, false)).toEqual(Uint8Array.of(0, 0, 0x78, 0x56));
    memory.setReadOnly(0xc_0000, 0x1000, false);
    memory.writeU16(0xc_0000, 0xffff);
    expect([memory.readU16(0xc_0000), flags[0xc0]]).toEqual([0xffff, 1]);
  });
});
