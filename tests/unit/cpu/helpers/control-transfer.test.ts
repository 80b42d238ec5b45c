import { describe, expect, it } from "vitest";
import { deliverEvent } from "../../../../native-core/cpu/helpers/deliver-event.ts";
import { RFLAGS } from "../../../../native-core/x86/registers.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { FakeCpu, GDT, IDT, longCpu, protectedCpu, SELECTOR, setGate, stackOf, TSS } from "./fake-cpu.ts";

function pushFrame(cpu: FakeCpu, size: 2 | 4 | 8, values: readonly (bigint | number)[]): void {
  const top = 0x8000n - BigInt(values.length * size);
  values.forEach((value, n) => cpu.memory.write(top + BigInt(n * size), size, BigInt(value)));
  cpu.state.setGeneral(4, top);
}

describe("IRET", () => {
  it("undoes an interrupt from user mode", () => {
    const cpu = longCpu(3);
    cpu.memory.write(BigInt(TSS + 4), 8, 0x9000n);
    setGate(cpu, 0x20, 0x5000n);
    cpu.state.set(STATE.rip, 0x1234n);
    cpu.state.flags = 0x246n;
    const before = cpu.state.bytes.slice();
    deliverEvent(cpu, 0x20, { kind: "external" });
    expect(cpu.state.bytes).not.toEqual(before);
    cpu.call("interruptReturn", 8);
    const { state } = cpu;
    expect(state.get(STATE.rip)).toBe(0x1234n);
    expect(state.general(4)).toBe(0x8008n);
    expect(state.flags).toBe(0x246n);
    expect(state.getNumber(STATE.cpl)).toBe(3);
    expect(state.segment("cs", "selector")).toBe(BigInt(SELECTOR.USER_CODE));
    expect(state.segment("ss", "selector")).toBe(BigInt(SELECTOR.USER_DATA));
  });

  it("goes to compatibility mode with a 32-bit code segment", () => {
    const cpu = longCpu();
    pushFrame(cpu, 8, [0x4000, SELECTOR.USER_CODE_32, 0x202, 0x7000, SELECTOR.USER_DATA]);
    cpu.call("interruptReturn", 8);
    expect(cpu.state.getNumber(STATE.codeMode)).toBe(4);
    expect(cpu.state.general(4)).toBe(0x7000n);
  });

  it("accepts a null SS only below privilege level 3", () => {
    const cpu = longCpu();
    pushFrame(cpu, 8, [0x4000, SELECTOR.KERNEL_CODE, 0x2, 0x7000, 0]);
    cpu.call("interruptReturn", 8);
    expect(cpu.state.segment("ss", "selector")).toBe(0n);
    pushFrame(cpu, 8, [0x4000, SELECTOR.USER_CODE, 0x2, 0x7000, 3]);
    expect(cpu.fault("interruptReturn", 8)).toEqual({ vector: 13, errorCode: 0 });
  });

  it("keeps IF and IOPL from user code", () => {
    const cpu = longCpu(3);
    cpu.state.flags = 0x202n;
    pushFrame(cpu, 8, [0x4000, SELECTOR.USER_CODE, 0x3000 | RFLAGS.ZF, 0x7000, SELECTOR.USER_DATA]);
    cpu.call("interruptReturn", 8);
    expect(cpu.state.flags).toBe(BigInt(0x202 | RFLAGS.ZF));
  });

  it("drops data segments that the new level may not use", () => {
    const cpu = longCpu();
    pushFrame(cpu, 8, [0x4000, SELECTOR.USER_CODE, 0x2, 0x7000, SELECTOR.USER_DATA]);
    cpu.call("interruptReturn", 8);
    expect(cpu.state.segment("ds", "selector")).toBe(0n);
  });

  it.each([
    ["a null code segment", [0x4000, 0, 2, 0, 0], { vector: 13, errorCode: 0 }],
    ["a data segment", [0x4000, SELECTOR.KERNEL_DATA, 2, 0, 0], { vector: 13, errorCode: SELECTOR.KERNEL_DATA }],
    ["an absent segment", [0x4000, SELECTOR.ABSENT_CODE, 2, 0, 0], { vector: 11, errorCode: SELECTOR.ABSENT_CODE }],
    ["a non-canonical RIP", [1n << 48n, SELECTOR.KERNEL_CODE, 2, 0, 0], { vector: 13, errorCode: 0 }],
  ])("refuses %s and changes nothing", (_, frame, expected) => {
    const cpu = longCpu();
    pushFrame(cpu, 8, frame);
    const before = cpu.state.bytes.slice();
    expect(cpu.fault("interruptReturn", 8)).toEqual(expected);
    expect(cpu.state.bytes).toEqual(before);
  });

  it("pops three words in real mode", () => {
    const cpu = new FakeCpu();
    pushFrame(cpu, 2, [0x100, 0x700, 0x202]);
    cpu.call("interruptReturn", 2);
    expect(cpu.state.segment("cs", "base")).toBe(0x7000n);
    expect(cpu.state.get(STATE.rip)).toBe(0x100n);
    expect(cpu.state.flags).toBe(0x202n);
  });
});

describe("far transfers", () => {
  it("a jump loads CS and follows its L bit", () => {
    const cpu = longCpu();
    cpu.state.setSegment("cs", "attributes", 0xc09bn);
    cpu.modeChanged();
    expect(cpu.state.getNumber(STATE.codeMode)).toBe(4);
    cpu.call("jumpFar", SELECTOR.KERNEL_CODE, 0x1234, 4);
    expect(cpu.state.getNumber(STATE.codeMode)).toBe(8);
    expect(cpu.state.get(STATE.rip)).toBe(0x1234n);
  });

  it("a jump may enter conforming code and keeps the privilege level", () => {
    const cpu = protectedCpu(3);
    cpu.call("jumpFar", SELECTOR.CONFORMING, 0x10, 4);
    expect(cpu.state.segment("cs", "selector")).toBe(BigInt(SELECTOR.CONFORMING | 3));
    expect(cpu.state.getNumber(STATE.cpl)).toBe(3);
  });

  it.each([
    ["more privileged code", SELECTOR.KERNEL_CODE],
    ["data", SELECTOR.USER_DATA],
    ["a selector outside the table", 0x200],
  ])("a jump to %s raises #GP with the selector", (_, selector) => {
    expect(protectedCpu(3).fault("jumpFar", selector, 0, 4)).toEqual({ vector: 13, errorCode: selector & 0xfffc });
  });

  it("a call pushes CS and the return offset; RETF goes back", () => {
    const cpu = protectedCpu();
    cpu.call("callFar", SELECTOR.KERNEL_CODE, 0x2000, 4, 0x1005);
    expect(cpu.state.get(STATE.rip)).toBe(0x2000n);
    expect(cpu.state.general(4)).toBe(0x8000n);
    cpu.call("returnFar", 4, 8);
    expect(cpu.state.get(STATE.rip)).toBe(0x1005n);
    expect(cpu.state.general(4)).toBe(0x8010n);
  });

  it("RETF to a less privileged level switches the stack", () => {
    const cpu = protectedCpu();
    pushFrame(cpu, 4, [0x3000, SELECTOR.USER_CODE, 0x7000, SELECTOR.USER_DATA]);
    cpu.call("returnFar", 4, 0);
    expect(cpu.state.getNumber(STATE.cpl)).toBe(3);
    expect(cpu.state.general(4)).toBe(0x7000n);
  });
});

describe("call gates", () => {
  const GATE = 0x68;

  function setCallGate(
    cpu: FakeCpu,
    offset: bigint,
    options: { type?: number; dpl?: number; count?: number } = {},
  ): void {
    const { type = 12, dpl = 3, count = 0 } = options;
    const attributes = BigInt(0x80 | (dpl << 5) | type);
    const low = (offset & 0xffffn) | (BigInt(SELECTOR.KERNEL_CODE) << 16n) | (BigInt(count) << 32n);
    cpu.memory.write(BigInt(GDT + GATE), 8, low | (attributes << 40n) | (((offset >> 16n) & 0xffffn) << 48n));
    cpu.memory.write(BigInt(GDT + GATE + 8), 8, offset >> 32n);
    cpu.state.setNumber(STATE.gdtLimit, 0xff);
  }

  it("raise privilege on the stack of the TSS and take parameters along", () => {
    const cpu = protectedCpu(3);
    setCallGate(cpu, 0x12345n, { count: 2 });
    cpu.memory.write(BigInt(TSS + 4), 4, 0x9000n);
    cpu.memory.write(BigInt(TSS + 8), 2, BigInt(SELECTOR.KERNEL_DATA));
    cpu.memory.write(0x8008n, 8, 0xbbbb_0000_aaaan);
    cpu.call("callFar", GATE | 3, 0, 4, 0x105);
    expect(cpu.state.get(STATE.rip)).toBe(0x12345n);
    expect(cpu.state.getNumber(STATE.cpl)).toBe(0);
    const frame = [0x105n, BigInt(SELECTOR.USER_CODE), 0xaaaan, 0xbbbbn, 0x8008n, BigInt(SELECTOR.USER_DATA)];
    expect(stackOf(cpu, 6, 4)).toEqual(frame);
    cpu.call("returnFar", 4, 8);
    expect(cpu.state.get(STATE.rip)).toBe(0x105n);
    expect(cpu.state.general(4)).toBe(0x8010n);
    expect(cpu.state.getNumber(STATE.cpl)).toBe(3);
  });

  it("are 64 bits wide in long mode and leave SS null", () => {
    const cpu = longCpu(3);
    setCallGate(cpu, 0x1_2345_6789n);
    cpu.memory.write(BigInt(TSS + 4), 8, 0x9000n);
    cpu.call("callFar", GATE | 3, 0, 8, 0x105);
    expect(cpu.state.get(STATE.rip)).toBe(0x1_2345_6789n);
    expect(cpu.state.segment("ss", "selector")).toBe(0n);
    expect(stackOf(cpu, 4)).toEqual([0x105n, BigInt(SELECTOR.USER_CODE), 0x8008n, BigInt(SELECTOR.USER_DATA)]);
  });

  it("push at all of RSP, without a base, where they lead from compatibility mode to 64-bit code of the same level", () => {
    const cpu = longCpu();
    setCallGate(cpu, 0x1_2345_6789n);
    cpu.state.setSegment("cs", "attributes", 0x009bn);
    cpu.state.setSegment("ss", "attributes", 0x0093n);
    cpu.state.setSegment("ss", "base", 0x4_0000n);
    cpu.modeChanged();
    cpu.state.setGeneral(4, 0x1_8000n);
    cpu.call("callFar", GATE, 0, 2, 0x105);
    expect(cpu.state.getNumber(STATE.codeMode)).toBe(8);
    expect(cpu.state.general(4)).toBe(0x1_8000n - 16n);
    expect(stackOf(cpu, 2)).toEqual([0x105n, BigInt(SELECTOR.KERNEL_CODE)]);
  });

  it("may be jumped through only at their own level", () => {
    const cpu = protectedCpu();
    setCallGate(cpu, 0x500n);
    cpu.call("jumpFar", GATE, 0, 4);
    expect(cpu.state.get(STATE.rip)).toBe(0x500n);
    const user = protectedCpu(3);
    setCallGate(user, 0x500n);
    expect(user.fault("jumpFar", GATE | 3, 0, 4)).toEqual({ vector: 13, errorCode: SELECTOR.KERNEL_CODE });
  });

  it("have a privilege level of their own", () => {
    const cpu = protectedCpu(3);
    setCallGate(cpu, 0x500n, { dpl: 0 });
    expect(cpu.fault("callFar", GATE | 3, 0, 4, 0)).toEqual({ vector: 13, errorCode: GATE });
  });
});

describe("task switches", () => {
  const NEW_TSS = 0x5800;
  const NEW_SELECTOR = 0x68;
  const TASK_GATE = 0x70;

  /** A 32-bit task whose state is all in its TSS, and a gate to it. */
  function withTask(cpl: 0 | 3 = 0): FakeCpu {
    const cpu = protectedCpu(cpl);
    const { memory } = cpu;
    memory.write(BigInt(GDT + NEW_SELECTOR), 8, 0x0000_8900_0000_0067n | (BigInt(NEW_TSS) << 16n));
    memory.write(BigInt(GDT + TASK_GATE), 8, 0x0000_e500_0000_0000n | (BigInt(NEW_SELECTOR) << 16n));
    cpu.state.setNumber(STATE.gdtLimit, 0xff);
    const put = (offset: number, value: number): void => memory.write(BigInt(NEW_TSS + offset), 4, BigInt(value));
    put(0x20, 0x1234); // EIP
    put(0x24, 0x202);
    for (let n = 0; n < 8; n++) put(0x28 + n * 4, 0x100 + n);
    put(0x38, 0x7000); // ESP
    for (let n = 0; n < 6; n++) put(0x48 + n * 4, n === 1 ? SELECTOR.KERNEL_CODE : SELECTOR.KERNEL_DATA);
    return cpu;
  }

  const typeOf = (cpu: FakeCpu, selector: number): bigint => cpu.memory.read(BigInt(GDT + selector + 5), 1) & 0x1fn;

  it("CALL saves the old task, nests the new one, and IRET comes back", () => {
    const cpu = withTask();
    cpu.state.setGeneral(3, 0xabcdn);
    cpu.state.flags = 0x46n;
    cpu.call("callFar", NEW_SELECTOR, 0, 4, 0x405);
    expect(cpu.state.get(STATE.rip)).toBe(0x1234n);
    expect(cpu.state.general(3)).toBe(0x103n);
    expect(cpu.state.flagBits & RFLAGS.NT).toBe(RFLAGS.NT);
    expect(cpu.memory.read(BigInt(NEW_TSS), 2)).toBe(BigInt(SELECTOR.TSS));
    expect([typeOf(cpu, SELECTOR.TSS), typeOf(cpu, NEW_SELECTOR)]).toEqual([11n, 11n]);
    cpu.call("interruptReturn", 4, 0x1300);
    expect(cpu.state.get(STATE.rip)).toBe(0x405n);
    expect(cpu.state.general(3)).toBe(0xabcdn);
    expect(cpu.state.flags).toBe(0x46n);
    expect(typeOf(cpu, NEW_SELECTOR)).toBe(9n);
    expect(cpu.memory.read(BigInt(NEW_TSS + 0x20), 4)).toBe(0x1300n);
  });

  it("JMP through a task gate leaves the old task available and clears its own breakpoints", () => {
    const cpu = withTask(3);
    cpu.state.set(STATE.dr7, 0x70fn);
    cpu.call("jumpFar", TASK_GATE | 3, 0, 4, 0x405);
    expect(cpu.state.getNumber(STATE.cpl)).toBe(0);
    expect(cpu.state.flagBits & RFLAGS.NT).toBe(0);
    expect(cpu.state.get(STATE.dr7)).toBe(0x60an);
    expect([typeOf(cpu, SELECTOR.TSS), typeOf(cpu, NEW_SELECTOR)]).toEqual([9n, 11n]);
  });

  it("an exception through a task gate leaves its error code on the new stack", () => {
    const cpu = withTask();
    cpu.memory.write(BigInt(IDT + 8 * 8), 8, 0x0000_8500_0000_0000n | (BigInt(NEW_SELECTOR) << 16n));
    cpu.state.set(STATE.rip, 0x999n);
    expect(deliverEvent(cpu, 8, { errorCode: 0 })).toBe(true);
    expect(cpu.state.general(4)).toBe(0x6ffcn);
    expect(cpu.memory.read(BigInt(TSS + 0x20), 4)).toBe(0x999n);
  });

  it("a segment that the new task may not have interrupts that task, not the old one", () => {
    const DATA_AT = 0x54;
    const ABSENT = 0xf8;
    const handler = (BigInt(SELECTOR.KERNEL_CODE) << 16n) | 0x0000_8e00_0000_5000n;
    for (const enter of [
      (cpu: FakeCpu) => cpu.call("callFar", NEW_SELECTOR, 0, 4, 0x405),
      (cpu: FakeCpu) => cpu.call("softwareInterrupt", 0x30, 0x405),
    ]) {
      const cpu = withTask();
      cpu.memory.write(BigInt(IDT + 8 * 0x30), 8, 0x0000_e500_0000_0000n | (BigInt(NEW_SELECTOR) << 16n));
      cpu.memory.write(BigInt(IDT + 8 * 10), 8, handler);
      cpu.memory.write(BigInt(NEW_TSS + DATA_AT), 4, BigInt(ABSENT));
      enter(cpu);
      // #TS: error code, EIP, CS, EFLAGS.
      const stack = cpu.state.general(4);
      expect(cpu.memory.read(stack, 4)).toBe(BigInt(ABSENT));
      expect(cpu.memory.read(stack + 4n, 4)).toBe(0x1234n);
      expect(cpu.state.segment("ds", "selector")).toBe(BigInt(ABSENT));
    }
  });

  it("refuse a busy TSS, and a privileged one from user code", () => {
    expect(withTask().fault("jumpFar", SELECTOR.TSS, 0, 4, 0)).toEqual({ vector: 13, errorCode: SELECTOR.TSS });
    expect(withTask(3).fault("jumpFar", NEW_SELECTOR, 0, 4, 0)).toEqual({ vector: 13, errorCode: NEW_SELECTOR });
  });

  it("do not exist in long mode", () => {
    const cpu = longCpu();
    cpu.state.flagBits |= RFLAGS.NT;
    expect(cpu.fault("interruptReturn", 8, 0)).toEqual({ vector: 13, errorCode: 0 });
  });
});

describe("SYSCALL and SYSRET", () => {
  function ready(): FakeCpu {
    const cpu = longCpu(3);
    cpu.state.set(STATE.star, (0x1bn << 48n) | (0x8n << 32n));
    cpu.state.set(STATE.lstar, 0xffff_8000_0000_1000n);
    cpu.state.set(STATE.fmask, BigInt(RFLAGS.IF | RFLAGS.TF));
    return cpu;
  }

  it("go to LSTAR and back", () => {
    const cpu = ready();
    const { state } = cpu;
    state.flags = 0x246n;
    cpu.call("systemCall", 0x402);
    expect(state.get(STATE.rip)).toBe(0xffff_8000_0000_1000n);
    expect(state.general(1)).toBe(0x402n);
    expect(state.general(11)).toBe(0x246n);
    expect(state.flags).toBe(0x46n);
    expect([state.segment("cs", "selector"), state.segment("ss", "selector")]).toEqual([8n, 16n]);
    expect(state.getNumber(STATE.cpl)).toBe(0);
    cpu.call("systemReturn", 8);
    expect(state.get(STATE.rip)).toBe(0x402n);
    expect(state.flags).toBe(0x246n);
    expect([state.segment("cs", "selector"), state.segment("ss", "selector")]).toEqual([0x2bn, 0x23n]);
    expect(state.getNumber(STATE.codeMode)).toBe(8);
  });

  it("end a single step only if TF is masked", () => {
    const inhibited = (fmask: number): number => {
      const cpu = ready();
      cpu.state.setNumber(STATE.fmask, fmask);
      cpu.state.flags = BigInt(RFLAGS.TF | 2);
      cpu.call("systemCall", 0x402);
      return cpu.state.getNumber(STATE.trapInhibited);
    };
    expect([inhibited(RFLAGS.TF), inhibited(0)]).toEqual([1, 0]);
  });

  it("SYSRET with a 32-bit operand returns to compatibility mode", () => {
    const cpu = ready();
    cpu.call("systemCall", 0x402);
    cpu.call("systemReturn", 4);
    expect(cpu.state.getNumber(STATE.codeMode)).toBe(4);
    expect(cpu.state.segment("cs", "selector")).toBe(0x1bn);
  });

  it("raise #UD without EFER.SCE", () => {
    const cpu = ready();
    cpu.state.setNumber(STATE.efer, 0x500);
    expect(cpu.fault("systemCall", 0)).toEqual({ vector: 6, errorCode: undefined });
  });

  it("SYSRET outside CPL 0 raises #GP", () => {
    expect(ready().fault("systemReturn", 8)).toEqual({ vector: 13, errorCode: 0 });
  });
});

describe("SYSENTER and SYSEXIT", () => {
  function ready(cpl: 0 | 3): FakeCpu {
    const cpu = protectedCpu(cpl);
    cpu.state.set(STATE.sysenterCs, BigInt(SELECTOR.KERNEL_CODE));
    cpu.state.set(STATE.sysenterEsp, 0x9000n);
    cpu.state.set(STATE.sysenterEip, 0x12345n);
    return cpu;
  }

  it("go to the MSRs' target and to that of ECX and EDX, in flat segments behind SYSENTER_CS", () => {
    const cpu = ready(3);
    const { state } = cpu;
    state.flags = BigInt(RFLAGS.IF | RFLAGS.CF | 2);
    cpu.call("systemEnter");
    expect([state.get(STATE.rip), state.general(4), state.flags]).toEqual([0x12345n, 0x9000n, 3n]);
    expect([state.segment("cs", "selector"), state.segment("ss", "selector")]).toEqual([8n, 16n]);
    state.setGeneral(1, 0x7000n);
    state.setGeneral(2, 0x402n);
    cpu.call("systemExit");
    expect([state.get(STATE.rip), state.general(4), state.getNumber(STATE.cpl)]).toEqual([0x402n, 0x7000n, 3]);
    expect([state.segment("cs", "selector"), state.segment("ss", "selector")]).toEqual([0x1bn, 0x23n]);
  });

  it("raise #GP(0) with a null SYSENTER_CS, SYSEXIT outside CPL 0 as well", () => {
    const cpu = ready(3);
    expect(cpu.fault("systemExit")).toEqual({ vector: 13, errorCode: 0 });
    cpu.state.set(STATE.sysenterCs, 3n);
    expect(cpu.fault("systemEnter")).toEqual({ vector: 13, errorCode: 0 });
  });

  it("are undefined in long mode, as on processors of AMD", () => {
    const cpu = longCpu();
    cpu.state.set(STATE.sysenterCs, BigInt(SELECTOR.KERNEL_CODE));
    expect(cpu.fault("systemEnter")).toEqual({ vector: 6, errorCode: undefined });
    expect(cpu.fault("systemExit")).toEqual({ vector: 6, errorCode: undefined });
  });
});
