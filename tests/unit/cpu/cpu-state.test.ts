import { describe, expect, it } from "vitest";
import { ARITHMETIC_FLAGS, CpuState } from "../../../native-core/cpu/cpu-state.ts";
import { STATE, STATE_SIZE } from "../../../native-core/x86/state-layout.ts";

const BITS = [0x1, 0x4, 0x10, 0x40, 0x80, 0x800];

function combinations(): number[] {
  return Array.from({ length: 1 << BITS.length }, (_, n) =>
    BITS.reduce((flags, bit, index) => (n & (1 << index) ? flags | bit : flags), 0),
  );
}

describe("RFLAGS", () => {
  it("holds every combination of the arithmetic flags", () => {
    const state = new CpuState(new ArrayBuffer(STATE_SIZE));
    for (const flags of combinations()) {
      state.flagBits = flags | 0x202;
      expect(state.flagBits).toBe(flags | 0x202);
      expect(state.flags).toBe(BigInt(flags | 0x202));
    }
  });

  it("keeps system flags apart from arithmetic ones", () => {
    const state = new CpuState(new ArrayBuffer(STATE_SIZE));
    state.flags = 0x24_7fd7n;
    expect(state.getNumber(STATE.systemFlags)).toBe((0x24_7fd7 & ~ARITHMETIC_FLAGS) | 2);
    expect(state.flags).toBe(0x24_7fd7n);
  });

  it("reads the lazy form that an addition leaves", () => {
    const state = new CpuState(new ArrayBuffer(STATE_SIZE));
    // 0xff + 0x01 as bytes: result 0, carries out of all eight bits.
    state.set(STATE.flagResult, 0n);
    state.set(STATE.flagCarry, 0xffn << 56n);
    state.setNumber(STATE.flagAux, 67 - 8);
    state.setNumber(STATE.systemFlags, 2);
    expect(state.flagBits).toBe(0x1 | 0x2 | 0x4 | 0x10 | 0x40);
  });

  it("finds AF of a 64-bit operation in the low half of the carry vector", () => {
    const state = new CpuState(new ArrayBuffer(STATE_SIZE));
    state.set(STATE.flagResult, 0x10n);
    state.set(STATE.flagCarry, 0x8n);
    state.setNumber(STATE.flagAux, 3);
    expect(state.flagBits & 0x11).toBe(0x10);
  });
});

describe("segments", () => {
  it("are named or numbered in encoding order", () => {
    const state = new CpuState(new ArrayBuffer(STATE_SIZE));
    state.setSegment("fs", "base", 0xffff_8000_0000_0000n);
    state.setSegmentNumber(4, "selector", 0x2b);
    expect(state.segment(4, "base")).toBe(0xffff_8000_0000_0000n);
    expect(state.segmentNumber("fs", "selector")).toBe(0x2b);
  });
});
