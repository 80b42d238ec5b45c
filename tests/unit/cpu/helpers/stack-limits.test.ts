// Limits of the stack segment where helpers push and pop: interrupts, gates, far transfers, IRET, ENTER (found beside QEMU's TCG, which
// does not check them).
import { describe, expect, it } from "vitest";
import { deliverEvent } from "../../../../native-core/cpu/helpers/deliver-event.ts";
import { SEGMENTS, STATE } from "../../../../native-core/x86/state-layout.ts";
import { FakeCpu, GDT, protectedCpu, SELECTOR, setGate, stackOf, TSS } from "./fake-cpu.ts";

const VECTOR_DF = 8;
const VECTOR_SS = 12;
const EXT = 1;
const RSP = 4;
const LIMIT = 0x7fff;

const SMALL = SELECTOR.READ_ONLY;
const TASK = 0x7000;

/** A stack that ends behind LIMIT, and gates to handlers. */
function machine(pointer: number, cpl: 0 | 3 = 0): FakeCpu {
  const cpu = protectedCpu(cpl);
  for (let vector = 0; vector < 0x40; vector++) setGate(cpu, vector, BigInt(0x5000 + vector), { long: false, dpl: 3 });
  cpu.state.setSegment("ss", "limit", BigInt(LIMIT));
  cpu.state.setGeneral(RSP, BigInt(pointer));
  return cpu;
}

/** The stack of CPL 0 begins beyond the limit of its segment. */
function setSmallInnerStack(cpu: FakeCpu): void {
  cpu.memory.write(BigInt(GDT + SMALL), 8, 0x0040_9200_0000_7fffn);
  cpu.memory.write(BigInt(TSS + 4), 4, BigInt(LIMIT + 0x11));
  cpu.memory.write(BigInt(TSS + 8), 4, BigInt(SMALL));
}

/** Leads to a task at 0x6000 with a good stack. */
function setTaskGate(cpu: FakeCpu, vector: number): void {
  cpu.memory.write(BigInt(GDT + SELECTOR.LDT), 8, 0x0000_8900_0000_0067n | (BigInt(TASK) << 16n));
  setGate(cpu, vector, 0n, { long: false, type: 5, selector: SELECTOR.LDT });
  cpu.memory.write(BigInt(TASK + 0x20), 4, 0x6000n);
  cpu.memory.write(BigInt(TASK + 0x38), 4, 0x9000n);
  SEGMENTS.forEach((name, n) => {
    const selector = name === "cs" ? SELECTOR.KERNEL_CODE : SELECTOR.KERNEL_DATA;
    cpu.memory.write(BigInt(TASK + 0x48 + n * 4), 2, BigInt(selector));
  });
}

describe("beyond the limit of the stack segment", () => {
  it.each([
    ["a far CALL pushes", "callFar", [SELECTOR.KERNEL_CODE, 0x100, 4, 0x200], LIMIT + 5],
    ["a far RET pops", "returnFar", [4, 0], LIMIT - 5],
    ["IRET pops", "interruptReturn", [4, 0], LIMIT - 9],
    ["ENTER pushes", "enterNested", [4, 0, 2], LIMIT + 5],
    ["INT n pushes", "softwareInterrupt", [0x20, 0x200], LIMIT + 9],
  ])("%s: #SS(0), and ESP stays", (_, helper, args, pointer) => {
    const cpu = machine(pointer);
    cpu.memory.write(BigInt(pointer) + 4n, 4, BigInt(SELECTOR.KERNEL_CODE));
    expect(cpu.fault(helper, ...args)).toEqual({ vector: VECTOR_SS, errorCode: 0 });
    expect(cpu.state.general(RSP)).toBe(BigInt(pointer));
  });

  it("an exception's frame makes a double fault, whose task has a stack of its own", () => {
    const cpu = machine(LIMIT + 9);
    setTaskGate(cpu, VECTOR_DF);
    expect(deliverEvent(cpu, 13, { errorCode: 0 })).toBe(true);
    expect(cpu.state.get(STATE.rip)).toBe(0x6000n);
    expect(stackOf(cpu, 1, 4)).toEqual([0n]);
  });

  it("and without a stack for the double fault the processor shuts down", () => {
    expect(deliverEvent(machine(LIMIT + 9), 13, { errorCode: 0 })).toBe(false);
  });

  it("an inner stack that is too small raises #SS with its selector", () => {
    const cpu = machine(0x7000, 3);
    setSmallInnerStack(cpu);
    expect(cpu.fault("softwareInterrupt", 0x20, 0)).toEqual({ vector: VECTOR_SS, errorCode: SMALL });
  });

  it("an interrupt from outside says so in the error code of the #SS", () => {
    const cpu = machine(0x7000, 3);
    setSmallInnerStack(cpu);
    setTaskGate(cpu, VECTOR_SS);
    expect(deliverEvent(cpu, 0x20, { kind: "external" })).toBe(true);
    expect(stackOf(cpu, 1, 4)).toEqual([BigInt(SMALL | EXT)]);
  });
});

describe("real mode", () => {
  it("wraps at 64 KiB between words, not within one", () => {
    const cpu = new FakeCpu();
    cpu.state.setGeneral(RSP, 0n);
    cpu.call("callFar", 0x700, 0x100, 2, 0x200);
    expect(cpu.state.general(RSP)).toBe(0xfffcn);
    cpu.state.setGeneral(RSP, 1n);
    expect(cpu.fault("callFar", 0x700, 0x100, 2, 0x200)).toEqual({ vector: VECTOR_SS, errorCode: 0 });
  });

  it("keeps the width of a stack that was loaded in protected mode", () => {
    const cpu = new FakeCpu();
    const stack = SEGMENTS.indexOf("ss");
    cpu.state.setSegment("ss", "attributes", 0xc093n);
    cpu.state.setSegment("ss", "limit", 0xffff_ffffn);
    cpu.call("loadSegment", stack, 0x100);
    cpu.modeChanged();
    expect(cpu.state.get(STATE.stackMask)).toBe(0xffff_ffffn);
    expect(cpu.state.segment("ss", "base")).toBe(0x1000n);
  });
});
