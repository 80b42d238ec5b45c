// Paging rights and system instructions that later processors brought: SMEP, SMAP, UMIP, FSGSBASE, PCID; and NMI blocking.
import { beforeEach, describe, expect, it } from "vitest";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { CR4, RFLAGS } from "../../../../native-core/x86/registers.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { CODE, DATA, enterUser, HANDLERS, interpreterMachine, quadwords } from "../../../support/cpu/long-mode.ts";

const HLT = 0xf4;
const PD = 0x3000;
/** The second page of 2 MiB: the same memory as the first, but the user's, while the first becomes the supervisor's. */
const USER = 0x20_0000;
const PF = 14;
const GP = 13;
const UD = 6;

let cpu: InterpreterVcpu;

function run(code: readonly number[], address = CODE): void {
  cpu.ram.write(address & 0x1f_ffff, Uint8Array.from(code));
  cpu.state.set(STATE.rip, BigInt(address));
  cpu.state.setNumber(STATE.halted, 0);
  cpu.invalidateAll();
  expect(cpu.run(1000)).toBe("halted");
}

/** The exception that ended the run, or undefined for its own HLT. */
function exception(): number | undefined {
  const rip = Number(cpu.state.get(STATE.rip));
  return rip >= HANDLERS && rip < HANDLERS + 32 * 16 ? (rip - HANDLERS) >> 4 : undefined;
}
const errorCode = (): bigint => cpu.memory.read(cpu.state.general(4), 8);
const setCr4 = (bits: number): void => cpu.state.set(STATE.cr4, cpu.state.get(STATE.cr4) | BigInt(bits));

beforeEach(() => {
  cpu = interpreterMachine();
  cpu.ram.write(PD, quadwords(0x83n, 0x87n));
});

describe("SMEP", () => {
  it("keeps the supervisor from running the user's pages", () => {
    setCr4(CR4.SMEP);
    run([HLT], USER + CODE);
    expect(exception()).toBe(PF);
    // Present, instruction fetch.
    expect(errorCode()).toBe(0x11n);
    expect(cpu.state.get(STATE.cr2)).toBe(BigInt(USER + CODE));
  });

  it("lets it run them when it is off", () => {
    run([HLT], USER + CODE);
    expect(exception()).toBeUndefined();
  });
});

describe("SMAP", () => {
  // mov eax, [0x220000]; hlt
  const read = [0x8b, 0x04, 0x25, 0, 0, 0x22, 0, HLT];

  it("keeps the supervisor from the user's data", () => {
    setCr4(CR4.SMAP);
    run(read);
    expect(exception()).toBe(PF);
    expect(errorCode()).toBe(1n);
  });

  it("lets it through between STAC and CLAC, and nothing of that stays cached", () => {
    setCr4(CR4.SMAP);
    // stac; read; clac; read again
    run([0x0f, 0x01, 0xcb, ...read.slice(0, -1), 0x0f, 0x01, 0xca, ...read]);
    expect(exception()).toBe(PF);
    expect(cpu.memory.read(cpu.state.general(4) + 8n, 8)).toBe(BigInt(CODE + 13));
  });

  it("copies strings between the user's pages and the supervisor's with AC", () => {
    setCr4(CR4.SMAP);
    cpu.ram.write(DATA, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    cpu.state.setGeneral(6, BigInt(USER + DATA));
    cpu.state.setGeneral(7, BigInt(DATA + 0x100));
    cpu.state.setGeneral(1, 8n);
    run([0x0f, 0x01, 0xcb, 0xf3, 0xa4, HLT]);
    expect(exception()).toBeUndefined();
    expect(cpu.ram.readU64(DATA + 0x100)).toBe(0x0807060504030201n);
  });

  it("has STAC and CLAC for the supervisor only", () => {
    cpu.ram.write(PD, quadwords(0x87n, 0x87n));
    enterUser(cpu);
    run([0x0f, 0x01, 0xcb, HLT]);
    expect(exception()).toBe(UD);
  });
});

describe("UMIP", () => {
  it.each([
    ["SGDT", [0x0f, 0x01, 0x06]],
    ["SIDT", [0x0f, 0x01, 0x0e]],
    ["SLDT", [0x0f, 0x00, 0xc0]],
    ["STR", [0x0f, 0x00, 0xc8]],
    ["SMSW", [0x0f, 0x01, 0xe0]],
  ])("keeps %s from user code", (_name, code) => {
    cpu.ram.write(PD, quadwords(0x87n, 0x87n));
    cpu.state.setGeneral(6, BigInt(DATA));
    run([...code, HLT]);
    expect(exception()).toBeUndefined();
    enterUser(cpu);
    run([...code, 0x0f, 0x0b]);
    expect(exception()).toBe(UD);
    setCr4(CR4.UMIP);
    enterUser(cpu);
    run([...code, 0x0f, 0x0b]);
    expect(exception()).toBe(GP);
  });
});

describe("FSGSBASE", () => {
  it("reads and writes the bases where CR4 allows it", () => {
    setCr4(CR4.FSGSBASE);
    cpu.state.setGeneral(0, 0x1234_5678_9abcn);
    // wrfsbase rax; wrgsbase eax; rdfsbase rcx; rdgsbase rdx; hlt
    run([
      ...[0xf3, 0x48, 0x0f, 0xae, 0xd0, 0xf3, 0x0f, 0xae, 0xd8],
      ...[0xf3, 0x48, 0x0f, 0xae, 0xc1, 0xf3, 0x48, 0x0f, 0xae, 0xca, HLT],
    ]);
    expect(cpu.state.general(1)).toBe(0x1234_5678_9abcn);
    expect(cpu.state.general(2)).toBe(0x5678_9abcn);
    cpu.state.setGeneral(0, 1n << 50n);
    run([0xf3, 0x48, 0x0f, 0xae, 0xd0, HLT]);
    expect(exception()).toBe(GP);
  });

  it("is undefined elsewhere", () => {
    run([0xf3, 0x48, 0x0f, 0xae, 0xc0, HLT]);
    expect(exception()).toBe(UD);
  });
});

describe("PCID", () => {
  // invpcid rax, [rsi]; hlt
  const invpcid = [0x66, 0x0f, 0x38, 0x82, 0x06, HLT];

  function invalidate(type: bigint, pcid: bigint, address: bigint): void {
    cpu.state.setGeneral(0, type);
    cpu.state.setGeneral(6, BigInt(DATA));
    cpu.ram.write(DATA, quadwords(pcid, address));
    run(invpcid);
  }

  it("gives CR3 a number that CR4.PCIDE must not find there, and bit 63 that is never kept", () => {
    // mov cr4, rax; mov cr3, rbx; mov rcx, cr3; hlt
    cpu.state.setGeneral(0, cpu.state.get(STATE.cr4) | BigInt(CR4.PCIDE));
    cpu.state.setGeneral(3, (1n << 63n) | 0x1005n);
    run([0x0f, 0x22, 0xe0, 0x0f, 0x22, 0xdb, 0x0f, 0x20, 0xd9, HLT]);
    expect(exception()).toBeUndefined();
    expect(cpu.state.general(1)).toBe(0x1005n);
    cpu.state.set(STATE.cr4, cpu.state.get(STATE.cr4) & ~BigInt(CR4.PCIDE));
    run([0x0f, 0x22, 0xe0, HLT]);
    expect(exception()).toBe(GP);
  });

  it.each([0n, 1n, 2n, 3n])("has INVPCID of type %i see a changed mapping", (type) => {
    cpu.state.set(STATE.cr4, cpu.state.get(STATE.cr4) | BigInt(CR4.PCIDE));
    const page = BigInt(USER + DATA);
    cpu.memory.read(page, 8);
    cpu.ram.write(PD + 8, quadwords(0n));
    // mov rbx, [page] behind INVPCID
    cpu.state.setGeneral(0, type);
    cpu.state.setGeneral(6, BigInt(DATA));
    cpu.ram.write(DATA, quadwords(0n, page));
    cpu.ram.write(CODE, Uint8Array.from([...invpcid.slice(0, -1), 0x48, 0x8b, 0x1c, 0x25, 0, 0, 0x22, 0, HLT]));
    cpu.state.set(STATE.rip, BigInt(CODE));
    cpu.run(100);
    expect(exception()).toBe(PF);
  });

  it.each([
    ["an unknown type", 4n, 0n, 0n],
    ["reserved bits", 1n, 0x1000n, 0n],
    ["a PCID while there are none", 1n, 5n, 0n],
    ["an address that is not canonical", 0n, 0n, 1n << 50n],
  ])("refuses %s", (_what, type, pcid, address) => {
    invalidate(type, pcid, address);
    expect(exception()).toBe(GP);
  });
});

describe("a non-maskable interrupt", () => {
  it("blocks the next one until IRET", () => {
    // The handler halts; IRETQ behind it ends the blocking. The second NMI then comes before the first instruction returned to.
    cpu.ram.write(HANDLERS + 32, Uint8Array.of(HLT, 0x48, 0xcf));
    cpu.state.flags &= ~BigInt(RFLAGS.IF);
    cpu.ram.write(CODE, Uint8Array.of(0x90, 0x90, HLT));
    cpu.requestNmi();
    expect(cpu.run(100)).toBe("halted");
    expect(exception()).toBe(2);
    cpu.requestNmi();
    expect(cpu.runnable).toBe(false);
    expect(cpu.run(100)).toBe("halted");
    cpu.state.setNumber(STATE.halted, 0);
    expect(cpu.run(100)).toBe("halted");
    expect(exception()).toBe(2);
    expect(cpu.memory.read(cpu.state.general(4), 8)).toBe(BigInt(CODE));
  });
});
