import { describe, expect, it } from "vitest";
import { SEGMENTS, STATE } from "../../../../native-core/x86/state-layout.ts";
import { FakeCpu, GDT, longCpu, protectedCpu, SELECTOR } from "./fake-cpu.ts";

const DS = SEGMENTS.indexOf("ds");
const SS = SEGMENTS.indexOf("ss");
const CS = SEGMENTS.indexOf("cs");

describe("loading a data segment", () => {
  it("fills the cache and sets the accessed bit in memory", () => {
    const cpu = protectedCpu();
    cpu.memory.write(BigInt(GDT + SELECTOR.KERNEL_DATA + 2), 2, 0x5678n);
    cpu.call("loadSegment", DS, SELECTOR.KERNEL_DATA);
    expect(cpu.state.segment("ds", "base")).toBe(0x5678n);
    expect(cpu.state.segment("ds", "limit")).toBe(0xffff_ffffn);
    expect(cpu.state.segment("ds", "attributes")).toBe(0xc093n);
    expect(cpu.memory.read(BigInt(GDT + SELECTOR.KERNEL_DATA + 5), 1)).toBe(0x93n);
  });

  it("accepts null and makes the segment unusable", () => {
    const cpu = protectedCpu(3);
    cpu.call("loadSegment", DS, 0);
    expect(cpu.state.segment("ds", "attributes")).toBe(0n);
    expect(cpu.fault("checkSegmentAccess", DS, 0, 4)).toEqual({ vector: 13, errorCode: 0 });
  });

  it.each([
    ["more privileged data", SELECTOR.KERNEL_DATA, 13],
    ["absent data", SELECTOR.ABSENT_DATA | 3, 13],
    ["a system descriptor", SELECTOR.TSS, 13],
    ["a selector outside the table", 0x203, 13],
  ])("refuses %s from user code", (_, selector, vector) => {
    const error = { vector, errorCode: selector & 0xfffc };
    expect(protectedCpu(3).fault("loadSegment", DS, selector)).toEqual(error);
  });

  it("raises #NP for an absent segment, #SS for an absent stack", () => {
    expect(protectedCpu().fault("loadSegment", DS, SELECTOR.ABSENT_DATA)).toMatchObject({ vector: 11 });
    expect(protectedCpu().fault("loadSegment", SS, SELECTOR.ABSENT_DATA)).toMatchObject({ vector: 12 });
  });

  it("in real mode shifts the selector and keeps the limit", () => {
    const cpu = new FakeCpu();
    cpu.state.setSegment("ds", "limit", 0xffff_ffffn);
    cpu.call("loadSegment", DS, 0x1234);
    expect(cpu.state.segment("ds", "base")).toBe(0x12340n);
    expect(cpu.state.segment("ds", "limit")).toBe(0xffff_ffffn);
  });
});

describe("loading SS", () => {
  it("inhibits interrupts for one instruction when moved or popped", () => {
    const cpu = protectedCpu();
    cpu.call("moveToSegment", SS, SELECTOR.KERNEL_DATA);
    expect(cpu.state.getNumber(STATE.interruptShadow)).toBe(1);
  });

  it("needs writable data of exactly the current level", () => {
    expect(protectedCpu().fault("loadSegment", SS, SELECTOR.READ_ONLY)).toMatchObject({ vector: 13 });
    expect(protectedCpu().fault("loadSegment", SS, SELECTOR.USER_DATA)).toMatchObject({ vector: 13 });
    expect(protectedCpu().fault("loadSegment", SS, 0)).toEqual({ vector: 13, errorCode: 0 });
  });

  it("may be null in 64-bit mode below privilege level 3", () => {
    const cpu = longCpu();
    cpu.call("loadSegment", SS, 0);
    expect(cpu.state.segment("ss", "selector")).toBe(0n);
    expect(longCpu(3).fault("loadSegment", SS, 3)).toEqual({ vector: 13, errorCode: 0 });
  });
});

it("MOV to CS raises #UD", () => {
  expect(protectedCpu().fault("moveToSegment", CS, 8)).toEqual({ vector: 6, errorCode: undefined });
  expect(protectedCpu().fault("moveToSegment", 6, 8)).toEqual({ vector: 6, errorCode: undefined });
});

describe("segment limits", () => {
  it("of an expand-down segment hold what lies above", () => {
    const cpu = protectedCpu();
    cpu.state.setSegment("ds", "attributes", 0x4097n);
    cpu.state.setSegment("ds", "limit", 0xfffn);
    expect(cpu.call("checkSegmentAccess", DS, 0x1000, 4)).toBe(0n);
    expect(cpu.fault("checkSegmentAccess", DS, 0xfff, 4)).toEqual({ vector: 13, errorCode: 0 });
  });

  it("go with the segment's type", () => {
    const cpu = protectedCpu();
    cpu.state.setSegment("ds", "attributes", 0xc091n); // read-only data
    expect(cpu.call("checkSegmentAccess", DS, 0, 4, 0)).toBe(0n);
    expect(cpu.fault("checkSegmentAccess", DS, 0, 4, 1)).toEqual({ vector: 13, errorCode: 0 });
    expect(cpu.call("checkSegmentAccess", CS, 0, 4, 0)).toBe(0n);
    expect(cpu.fault("checkSegmentAccess", CS, 0, 4, 1)).toEqual({ vector: 13, errorCode: 0 });
  });

  it("raise #SS for the stack", () => {
    const cpu = protectedCpu();
    cpu.state.setSegment("ss", "limit", 0xfffn);
    expect(cpu.fault("checkSegmentAccess", SS, 0xffd, 4)).toEqual({ vector: 12, errorCode: 0 });
  });
});

describe("LAR, LSL, VERR, VERW", () => {
  it("report rights and limits of visible descriptors", () => {
    const cpu = protectedCpu();
    expect(cpu.call("accessRights", SELECTOR.KERNEL_DATA)).toBe(0x00cf_9200n);
    expect(cpu.call("segmentLimit", SELECTOR.TSS)).toBe(0x67n);
    expect(cpu.call("verifyRead", SELECTOR.KERNEL_CODE)).toBe(1n);
    expect(cpu.call("verifyWrite", SELECTOR.KERNEL_CODE)).toBe(0n);
    expect(cpu.call("verifyWrite", SELECTOR.READ_ONLY)).toBe(0n);
  });

  it("do not show more privileged segments to user code", () => {
    const cpu = protectedCpu(3);
    expect(cpu.call("accessRights", SELECTOR.KERNEL_DATA)).toBe(0xffff_ffff_ffff_ffffn);
    expect(cpu.call("verifyRead", SELECTOR.KERNEL_DATA)).toBe(0n);
  });
});

describe("LTR and LLDT", () => {
  it("LTR marks the TSS busy and refuses a busy one", () => {
    const cpu = protectedCpu();
    expect(cpu.memory.read(BigInt(GDT + SELECTOR.TSS + 5), 1)).toBe(0x8bn);
    expect(cpu.fault("loadTask", SELECTOR.TSS)).toEqual({ vector: 13, errorCode: SELECTOR.TSS });
    expect(cpu.fault("loadTask", 0)).toEqual({ vector: 13, errorCode: 0 });
  });

  it("LLDT opens the local table", () => {
    const cpu = protectedCpu();
    cpu.memory.write(0x5008n, 8, 0x00cf_9200_1234_ffffn);
    expect(cpu.fault("loadSegment", DS, 0xc)).toMatchObject({ vector: 13 });
    cpu.call("loadLdt", SELECTOR.LDT);
    cpu.call("loadSegment", DS, 0xc);
    expect(cpu.state.segment("ds", "base")).toBe(0x1234n);
  });

  it("refuse a base that is not canonical, and change nothing", () => {
    const cpu = longCpu();
    const NEW_TSS = 0x70;
    cpu.state.setNumber(STATE.gdtLimit, 0xff);
    cpu.memory.write(BigInt(GDT + NEW_TSS), 8, 0x0000_8900_4000_0067n);
    cpu.memory.write(BigInt(GDT + NEW_TSS + 8), 8, 0x8000_0000n);
    cpu.memory.write(BigInt(GDT + SELECTOR.LDT + 8), 8, 0x8000_0000n);
    const before = cpu.state.bytes.slice();
    expect(cpu.fault("loadTask", NEW_TSS)).toEqual({ vector: 13, errorCode: NEW_TSS });
    expect(cpu.memory.read(BigInt(GDT + NEW_TSS + 5), 1)).toBe(0x89n);
    expect(cpu.fault("loadLdt", SELECTOR.LDT)).toEqual({ vector: 13, errorCode: SELECTOR.LDT });
    expect(cpu.state.bytes).toEqual(before);
  });
});
