import { describe, expect, it } from "vitest";
import { deliverEvent } from "../../../../native-core/cpu/helpers/deliver-event.ts";
import { RFLAGS } from "../../../../native-core/x86/registers.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { FakeCpu, longCpu, protectedCpu, SELECTOR, setGate, stackOf, TSS } from "./fake-cpu.ts";

const RF = BigInt(RFLAGS.RF);

describe("delivery in long mode", () => {
  it("pushes an aligned frame and enters the handler", () => {
    const cpu = longCpu();
    const { state } = cpu;
    setGate(cpu, 0x20, 0xffff_8000_1234_5678n);
    state.set(STATE.rip, 0x1111n);
    state.flags = 0x246n;
    expect(deliverEvent(cpu, 0x20, { kind: "external" })).toBe(true);
    expect(state.get(STATE.rip)).toBe(0xffff_8000_1234_5678n);
    expect(state.general(4)).toBe(0x8000n - 40n);
    expect(stackOf(cpu, 5)).toEqual([0x1111n, 0x8n, 0x246n, 0x8008n, 0x10n]);
    expect(state.flags).toBe(0x46n);
    expect(state.segment("ss", "selector")).toBe(0x10n);
  });

  it("keeps IF through a trap gate and clears TF and NT", () => {
    const cpu = longCpu();
    setGate(cpu, 3, 0x5000n, { type: 15 });
    cpu.state.flags = BigInt(RFLAGS.IF | RFLAGS.TF | RFLAGS.NT | 2);
    deliverEvent(cpu, 3, { kind: "trap" });
    expect(cpu.state.flags).toBe(BigInt(RFLAGS.IF | 2));
  });

  it("pushes the error code, and RF set for a fault", () => {
    const cpu = longCpu();
    setGate(cpu, 14, 0x5000n);
    cpu.state.set(STATE.rip, 0x77n);
    cpu.state.flags = 2n;
    deliverEvent(cpu, 14, { errorCode: 7 });
    expect(stackOf(cpu, 4)).toEqual([7n, 0x77n, 0x8n, 2n | RF]);
  });

  it("switches to RSP0 and a null SS when privilege rises", () => {
    const cpu = longCpu(3);
    cpu.memory.write(BigInt(TSS + 4), 8, 0x9000n);
    setGate(cpu, 0x80, 0x5000n, { dpl: 3 });
    deliverEvent(cpu, 0x80, { kind: "external" });
    expect(cpu.state.getNumber(STATE.cpl)).toBe(0);
    expect(cpu.state.general(4)).toBe(0x9000n - 40n);
    expect(cpu.state.segment("ss", "selector")).toBe(0n);
    expect(cpu.state.segment("cs", "selector")).toBe(8n);
    expect(stackOf(cpu, 5).at(1)).toBe(BigInt(SELECTOR.USER_CODE));
  });

  it("uses an IST stack even without a change of privilege", () => {
    const cpu = longCpu();
    cpu.memory.write(BigInt(TSS + 36 + 8), 8, 0xa000n);
    setGate(cpu, 2, 0x5000n, { ist: 2 });
    deliverEvent(cpu, 2, { kind: "trap" });
    expect(cpu.state.general(4)).toBe(0xa000n - 40n);
  });

  it("ends the interrupt shadow", () => {
    const cpu = longCpu();
    setGate(cpu, 0x20, 0x5000n);
    cpu.state.setNumber(STATE.interruptShadow, 1);
    deliverEvent(cpu, 0x20, { kind: "external" });
    expect(cpu.state.getNumber(STATE.interruptShadow)).toBe(0);
  });

  it("delivers the fault of a gate that is not present in its place", () => {
    const cpu = longCpu();
    setGate(cpu, 0x20, 0x5000n, { present: false });
    setGate(cpu, 11, 0x6000n);
    expect(deliverEvent(cpu, 0x20, { kind: "external" })).toBe(true);
    expect(cpu.state.get(STATE.rip)).toBe(0x6000n);
    expect(stackOf(cpu, 1)).toEqual([BigInt(0x20 * 8 + 2 + 1)]);
  });

  it("turns a contributory fault during a page fault into a double fault", () => {
    const cpu = longCpu();
    setGate(cpu, 14, 0x5000n, { selector: SELECTOR.KERNEL_DATA });
    setGate(cpu, 8, 0x6000n);
    expect(deliverEvent(cpu, 14, { errorCode: 2 })).toBe(true);
    expect(cpu.state.get(STATE.rip)).toBe(0x6000n);
    expect(stackOf(cpu, 1)).toEqual([0n]);
  });

  it("shuts down when the double fault cannot be delivered either", () => {
    const cpu = longCpu();
    cpu.state.setNumber(STATE.idtLimit, 0);
    expect(deliverEvent(cpu, 6)).toBe(false);
  });

  it("leaves all registers alone when the stack cannot be written", () => {
    const cpu = longCpu();
    setGate(cpu, 0x20, 0x5000n);
    cpu.state.setGeneral(4, 0x7000_0000n);
    cpu.state.setNumber(STATE.idtLimit, 0x20 * 16 + 15);
    const before = cpu.state.bytes.slice();
    setGate(cpu, 14, 0n, { present: false });
    setGate(cpu, 8, 0n, { present: false });
    expect(deliverEvent(cpu, 0x20, { kind: "external" })).toBe(false);
    expect(cpu.state.bytes).toEqual(before);
  });
});

describe("software interrupts", () => {
  it("need a gate of at least their privilege level", () => {
    const cpu = longCpu(3);
    setGate(cpu, 0x80, 0x5000n, { dpl: 0 });
    expect(cpu.fault("softwareInterrupt", 0x80, 0x100)).toEqual({ vector: 13, errorCode: 0x80 * 8 + 2 });
  });

  it("return behind the instruction", () => {
    const cpu = longCpu(3);
    cpu.memory.write(BigInt(TSS + 4), 8, 0x9000n);
    setGate(cpu, 0x80, 0x5000n, { dpl: 3 });
    cpu.call("softwareInterrupt", 0x80, 0x102);
    expect(stackOf(cpu, 1)).toEqual([0x102n]);
  });
});

describe("delivery in 32-bit protected mode", () => {
  it("pushes three doublewords at the same level", () => {
    const cpu = protectedCpu();
    setGate(cpu, 0x20, 0x12345n, { long: false });
    cpu.state.set(STATE.rip, 0x400n);
    cpu.state.flags = 0x202n;
    deliverEvent(cpu, 0x20, { kind: "external" });
    expect(cpu.state.get(STATE.rip)).toBe(0x12345n);
    expect(stackOf(cpu, 3, 4)).toEqual([0x400n, 8n, 0x202n]);
    expect(cpu.state.general(4)).toBe(0x8008n - 12n);
  });

  it("takes SS:ESP from the TSS when privilege rises", () => {
    const cpu = protectedCpu(3);
    cpu.memory.write(BigInt(TSS + 4), 4, 0x9000n);
    cpu.memory.write(BigInt(TSS + 8), 2, BigInt(SELECTOR.KERNEL_DATA));
    setGate(cpu, 13, 0x12345n, { long: false });
    deliverEvent(cpu, 13, { errorCode: 0x18 });
    expect(cpu.state.segment("ss", "selector")).toBe(BigInt(SELECTOR.KERNEL_DATA));
    const [error, , cs, , esp, ss] = stackOf(cpu, 6, 4);
    expect([error, cs, esp, ss]).toEqual([0x18n, BigInt(SELECTOR.USER_CODE), 0x8008n, BigInt(SELECTOR.USER_DATA)]);
  });
});

describe("delivery in real mode", () => {
  it("pushes FLAGS, CS and IP and jumps through the vector table", () => {
    const cpu = new FakeCpu();
    const { state, memory } = cpu;
    memory.write(0x10n * 4n, 4, 0x1234_5678n);
    state.setSegment("cs", "selector", 0x700n);
    state.setGeneral(4, 0x1_0010n);
    state.flags = 0x302n;
    deliverEvent(cpu, 0x10, { kind: "software", returnRip: 0x42n });
    expect(state.get(STATE.rip)).toBe(0x5678n);
    expect(state.segment("cs", "base")).toBe(0x12340n);
    expect(state.flags).toBe(2n);
    expect(state.general(4)).toBe(0x1_000an);
    expect([0xa, 0xc, 0xe].map((at) => memory.read(BigInt(at), 2))).toEqual([0x42n, 0x700n, 0x302n]);
  });
});
