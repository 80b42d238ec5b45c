import { describe, expect, it } from "vitest";
import { CR0, CR4, EFER } from "../../../../native-core/x86/registers.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { FakeCpu, longCpu, protectedCpu, TSS } from "./fake-cpu.ts";

const GP0 = { vector: 13, errorCode: 0 };
const UD = { vector: 6, errorCode: undefined };

describe("CR0", () => {
  it("activates long mode with paging when EFER.LME is set", () => {
    const cpu = protectedCpu();
    cpu.state.setNumber(STATE.cr4, CR4.PAE);
    cpu.call("writeMsr", 0xc000_0080, EFER.LME);
    cpu.call("writeControl", 0, (CR0.PE | CR0.PG) >>> 0);
    expect(cpu.state.getNumber(STATE.efer) & EFER.LMA).toBe(EFER.LMA);
    expect(cpu.state.getNumber(STATE.codeMode)).toBe(4);
    expect(cpu.memory.flushes).toEqual([false]);
  });

  it("deactivates it again from compatibility mode only", () => {
    const cpu = longCpu();
    expect(cpu.fault("writeControl", 0, CR0.PE)).toEqual(GP0);
    cpu.state.setSegment("cs", "attributes", 0xc09bn);
    cpu.modeChanged();
    cpu.call("writeControl", 0, CR0.PE);
    expect(cpu.state.getNumber(STATE.efer) & EFER.LMA).toBe(0);
  });

  it.each([
    ["PG without PE", CR0.PG],
    ["NW without CD", CR0.PE | CR0.NW],
    ["bits above 31", 0x1_0000_0001],
  ])("refuses %s", (_, value) => expect(protectedCpu().fault("writeControl", 0, value)).toEqual(GP0));

  it("refuses long mode without PAE", () => {
    const cpu = protectedCpu();
    cpu.call("writeMsr", 0xc000_0080, EFER.LME);
    expect(cpu.fault("writeControl", 0, (CR0.PE | CR0.PG) >>> 0)).toEqual(GP0);
  });

  it("LMSW sets PE but cannot clear it; CLTS clears TS", () => {
    const cpu = new FakeCpu();
    cpu.call("loadMachineStatus", CR0.PE | CR0.TS);
    expect(cpu.state.getNumber(STATE.cr0) & 0xf).toBe(CR0.PE | CR0.TS);
    cpu.call("loadMachineStatus", 0);
    expect(cpu.state.getNumber(STATE.cr0) & 0xf).toBe(CR0.PE);
    cpu.call("loadMachineStatus", CR0.TS);
    cpu.call("clearTaskSwitched");
    expect(cpu.state.getNumber(STATE.cr0) & CR0.TS).toBe(0);
  });
});

describe("other control registers", () => {
  it("CR3 flushes all but global translations", () => {
    const cpu = longCpu();
    cpu.call("writeControl", 3, 0x5000);
    expect(cpu.state.get(STATE.cr3)).toBe(0x5000n);
    expect(cpu.memory.flushes).toEqual([true]);
    expect(cpu.fault("writeControl", 3, 1n << 41n)).toEqual(GP0);
  });

  it("CR4 refuses features that are not there, and losing PAE in long mode", () => {
    expect(longCpu().fault("writeControl", 4, CR4.PAE | (1 << 12))).toEqual(GP0);
    expect(longCpu().fault("writeControl", 4, CR4.PGE)).toEqual(GP0);
    const cpu = longCpu();
    cpu.call("writeControl", 4, CR4.PAE | CR4.PGE);
    expect(cpu.memory.flushes).toEqual([false]);
  });

  it("CR8 is the task priority", () => {
    const cpu = longCpu();
    cpu.call("writeControl", 8, 9);
    expect(cpu.platform.taskPriority).toBe(9);
    expect(cpu.call("readControl", 8)).toBe(9n);
    expect(cpu.fault("writeControl", 8, 16)).toEqual(GP0);
  });

  it("unassigned numbers raise #UD", () => {
    expect(longCpu().fault("readControl", 1)).toEqual(UD);
    expect(longCpu().fault("writeControl", 5, 0)).toEqual(UD);
  });

  it("DR6 and DR7 keep their fixed bits; DR4 and DR5 are their aliases unless CR4.DE is set", () => {
    const cpu = longCpu();
    cpu.call("writeDebug", 6, 0);
    cpu.call("writeDebug", 5, 0xffff_dfff);
    expect(cpu.call("readDebug", 4)).toBe(0xffff_0ff0n);
    expect(cpu.call("readDebug", 7)).toBe(0xffff_0fffn);
    expect(cpu.fault("writeDebug", 7, 1n << 32n)).toEqual(GP0);
    cpu.state.setNumber(STATE.cr4, CR4.DE);
    expect(cpu.fault("readDebug", 4)).toEqual(UD);
  });
});

describe("MSRs", () => {
  it("EFER refuses reserved bits and a change of LME under paging", () => {
    expect(longCpu().fault("writeMsr", 0xc000_0080, 0x2000)).toEqual(GP0);
    expect(longCpu().fault("writeMsr", 0xc000_0080, 0)).toEqual(GP0);
  });

  it("segment bases must be canonical", () => {
    const cpu = longCpu();
    cpu.call("writeMsr", 0xc000_0101, 0xffff_8880_0000_0000n);
    expect(cpu.state.segment("gs", "base")).toBe(0xffff_8880_0000_0000n);
    expect(cpu.fault("writeMsr", 0xc000_0100, 1n << 47n)).toEqual(GP0);
  });

  it("the time stamp counter goes on from what is written", () => {
    const cpu = longCpu();
    cpu.call("writeMsr", 0x10, 5);
    cpu.platform.tsc += 7n;
    expect(cpu.call("readMsr", 0x10)).toBe(12n);
    expect(cpu.call("readTsc")).toBe(12n);
  });

  it("RDTSC is refused to user code by CR4.TSD", () => {
    const cpu = longCpu(3);
    cpu.state.setNumber(STATE.cr4, CR4.PAE | CR4.TSD);
    expect(cpu.fault("readTsc")).toEqual(GP0);
  });

  it("APIC_BASE keeps the BSP bit and tells the platform", () => {
    const cpu = longCpu();
    cpu.call("writeMsr", 0x1b, 0xfee0_0800n);
    expect(cpu.call("readMsr", 0x1b)).toBe(0xfee0_0900n);
    expect(cpu.platform.apicBases).toEqual([0xfee0_0900n]);
  });

  it("MTRRs hold what is written", () => {
    const cpu = longCpu();
    cpu.call("writeMsr", 0x20f, 0x800n);
    cpu.call("writeMsr", 0x26f, 0x0606_0606_0606_0606n);
    expect(cpu.call("readMsr", 0x20f)).toBe(0x800n);
    expect(cpu.call("readMsr", 0x26f)).toBe(0x0606_0606_0606_0606n);
    expect(cpu.call("readMsr", 0xfe)).toBe(0x508n);
    expect(cpu.fault("writeMsr", 0xfe, 0)).toEqual(GP0);
  });

  it("PAT refuses reserved memory types", () => {
    expect(longCpu().fault("writeMsr", 0x277, 2)).toEqual(GP0);
  });

  it("machine check banks are enumerated, hold what is written and report nothing", () => {
    const cpu = longCpu();
    const capabilities = cpu.call("readMsr", 0x179);
    const banks = Number(capabilities & 0xffn);
    expect([banks, capabilities >> 8n]).toEqual([6, 1n]); // IA32_MCG_CTL is there
    cpu.call("writeMsr", 0x17b, -1n);
    for (let n = 0; n < banks; n++) {
      cpu.call("writeMsr", 0x400 + n * 4, -1n);
      expect(cpu.call("readMsr", 0x401 + n * 4)).toBe(0n);
    }
    expect(cpu.fault("readMsr", 0x400 + banks * 4)).toEqual(GP0);
    expect(cpu.fault("writeMsr", 0x179, 0)).toEqual(GP0);
  });

  it("unknown ones raise #GP", () => {
    expect(longCpu().fault("readMsr", 0x1234)).toEqual(GP0);
    expect(longCpu().fault("writeMsr", 0x1234, 0)).toEqual(GP0);
  });
});

describe("CPUID", () => {
  function cpuid(leaf: number): [number, number, number, number] {
    const cpu = longCpu();
    cpu.state.setGeneral(0, 0xffff_ffff_0000_0000n | BigInt(leaf));
    cpu.call("cpuid");
    return [0, 3, 1, 2].map((n) => Number(cpu.state.general(n))) as [number, number, number, number];
  }
  const text = (...registers: number[]): string => {
    const bytes = new Uint8Array(new Uint32Array(registers).buffer);
    return String.fromCharCode(...bytes).replace(/\0+$/, "");
  };

  it("names vendor, hypervisor and brand", () => {
    const [, ebx, ecx, edx] = cpuid(0);
    expect(text(ebx, edx, ecx)).toBe("AuthenticAMD");
    expect(text(...cpuid(0x4000_0000).slice(1))).toBe("TerrariumVM");
    const brand = [2, 3, 4].flatMap((n) => cpuid(0x8000_0000 + n));
    expect(text(...brand)).toBe("Terrarium Virtual CPU");
  });

  it("offers what x86-64 demands", () => {
    const [eax, , ecx, edx] = cpuid(1);
    expect((eax >> 8) & 0xf).toBe(15);
    for (const bit of [0, 4, 5, 6, 8, 9, 13, 15, 24, 25, 26]) expect((edx >>> bit) & 1, `EDX bit ${bit}`).toBe(1);
    expect((ecx >>> 13) & 1).toBe(1);
    expect((ecx >>> 31) & 1).toBe(1);
    const extended = cpuid(0x8000_0001);
    for (const bit of [11, 20, 29]) expect((extended[3] >>> bit) & 1, `EDX bit ${bit}`).toBe(1);
  });

  it("shows no APIC while it is disabled", () => {
    const cpu = longCpu();
    cpu.call("writeMsr", 0x1b, 0xfee0_0000n);
    cpu.state.setGeneral(0, 1n);
    cpu.call("cpuid");
    expect((cpu.state.general(2) >> 9n) & 1n).toBe(0n);
  });

  it("answers zeros beyond its leaves", () => {
    expect(cpuid(7)).toEqual([0, 0, 0, 0]);
  });
});

describe("port permission", () => {
  it("follows IOPL, then the TSS bitmap", () => {
    const cpu = longCpu(3);
    cpu.memory.write(BigInt(TSS + 0x66), 2, 0x68n); // beyond the limit: no bitmap
    expect(cpu.fault("checkPort", 0x80, 1)).toEqual(GP0);
    cpu.state.flags = 0x3002n;
    expect(cpu.call("checkPort", 0x80, 1)).toBe(0n);
    cpu.state.flags = 2n;
    cpu.state.set({ offset: STATE.tr.offset + 8, type: "u32" }, 0x200n);
    cpu.memory.write(BigInt(TSS + 0x68 + 0x10), 1, 0b0000_0100n);
    expect(cpu.call("checkPort", 0x80, 2)).toBe(0n);
    expect(cpu.fault("checkPort", 0x82, 1)).toEqual(GP0);
    expect(cpu.fault("checkPort", 0x80, 4)).toEqual(GP0);
  });

  it("is not asked in real mode", () => {
    expect(new FakeCpu().call("checkPort", 0x80, 1)).toBe(0n);
  });

  it("reads and writes with the access size", () => {
    const cpu = longCpu();
    expect(cpu.call("readPort", 0x60, 1)).toBe(0xffff_ffffn);
    cpu.call("writePort", 0x70, 2, 0x1_2345n);
    expect(cpu.platform.ports).toEqual(["in 96 1", "out 112 2 9029"]);
  });
});

describe("signed 128-bit division", () => {
  it("raises #DE when the quotient does not fit", () => {
    const cpu = longCpu();
    cpu.state.setGeneral(2, -1n);
    cpu.state.setGeneral(0, 1n << 63n);
    expect(cpu.fault("divideSigned128", -1)).toEqual({ vector: 0, errorCode: undefined });
  });

  it("truncates quotients towards zero", () => {
    const cpu = longCpu();
    cpu.state.setGeneral(2, -1n);
    cpu.state.setGeneral(0, -7n);
    cpu.call("divideSigned128", 2);
    expect(BigInt.asIntN(64, cpu.state.general(0))).toBe(-3n);
    expect(BigInt.asIntN(64, cpu.state.general(2))).toBe(-1n);
  });
});

it("nested ENTER copies the enclosing frame pointers", () => {
  const cpu = longCpu();
  cpu.state.setGeneral(5, 0x9000n);
  cpu.memory.write(0x8ff8n, 8, 0xaaaan);
  cpu.call("enterNested", 8, 0x20, 2);
  expect(cpu.state.general(5)).toBe(0x8000n);
  expect(cpu.state.general(4)).toBe(0x8000n - 16n - 0x20n);
  expect([0x8000n, 0x7ff8n, 0x7ff0n].map((at) => cpu.memory.read(at, 8))).toEqual([0x9000n, 0xaaaan, 0x8000n]);
});
