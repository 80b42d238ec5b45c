// Breakpoints by DR0..DR7 (SDM 3B 18.2, 18.3), in code that otherwise runs in whole blocks.
import { beforeEach, describe, expect, it } from "vitest";
import type { InterpreterVcpu } from "../../../../native-core/cpu/vcpu.ts";
import { RFLAGS } from "../../../../native-core/x86/registers.ts";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import {
  CODE,
  DATA,
  enterProtectedMode,
  HANDLERS,
  interpreterMachine,
  quadwords,
} from "../../../support/cpu/long-mode.ts";

const DB_HANDLER = BigInt(HANDLERS + 16);
const HLT = 0xf4;
/** DR7 for breakpoint n: global enable, condition and length. */
const enable = (n: number, condition: number, length = 0): bigint =>
  BigInt((2 << (n * 2)) | (((length << 2) | condition) << (16 + n * 4))) & 0xffff_ffffn;
const EXECUTE = 0;
const WRITE = 1;
const PORT = 2;
const ACCESS = 3;
const FOUR_BYTES = 3;

let cpu: InterpreterVcpu;

function run(code: readonly number[], breakpoints: readonly bigint[], dr7: bigint): void {
  prepare(code, breakpoints, dr7);
  expect(cpu.run(10_000)).toBe("halted");
}

function prepare(code: readonly number[], breakpoints: readonly bigint[], dr7: bigint): void {
  cpu.ram.write(CODE, Uint8Array.from(code));
  for (const [n, slot] of [STATE.dr0, STATE.dr1, STATE.dr2, STATE.dr3].entries())
    cpu.state.set(slot, breakpoints[n] ?? 0n);
  cpu.state.set(STATE.dr7, dr7 | 0x400n);
  cpu.state.set(STATE.cr4, cpu.state.get(STATE.cr4) | 8n);
  cpu.invalidateAll();
}

/** RIP that the handler of #DB would return to; undefined if it was not called. */
function interrupted(): bigint | undefined {
  if (cpu.state.get(STATE.rip) !== DB_HANDLER + 1n) return undefined;
  return cpu.memory.read(cpu.state.general(4), 8);
}
const hits = (): bigint => cpu.state.get(STATE.dr6) & 0xe00fn;
const savedFlags = (): bigint => cpu.memory.read(cpu.state.general(4) + 16n, 8);

beforeEach(() => {
  cpu = interpreterMachine();
});

describe("an instruction breakpoint", () => {
  // inc ebx; inc ebx; inc ebx; hlt
  const code = [0xff, 0xc3, 0xff, 0xc3, 0xff, 0xc3, HLT];

  it("is a fault in front of its instruction, with RF in the pushed flags", () => {
    run(code, [0n, BigInt(CODE + 2)], enable(1, EXECUTE));
    expect(interrupted()).toBe(BigInt(CODE + 2));
    expect(cpu.state.general(3) & 0xffn).toBe(1n);
    expect(hits()).toBe(2n);
    expect(savedFlags() & BigInt(RFLAGS.RF)).toBe(BigInt(RFLAGS.RF));
  });

  it("is passed over once with RF, which the instruction clears", () => {
    cpu.state.flags |= BigInt(RFLAGS.RF);
    // ... jmp to the start again
    run([0xff, 0xc3, 0xeb, 0xfc], [BigInt(CODE)], enable(0, EXECUTE));
    expect(interrupted()).toBe(BigInt(CODE));
    expect(cpu.state.general(3) & 0xffn).toBe(1n);
  });

  it("takes time where its handler has one, too, and nothing is retired for ever", () => {
    prepare(code, [BigInt(CODE), DB_HANDLER], enable(0, EXECUTE) | enable(1, EXECUTE));
    const before = cpu.state.get(STATE.instructionCount);
    expect(cpu.run(50)).toBe("deadline");
    expect(cpu.state.get(STATE.instructionCount) - before).toBe(50n);
  });

  it("does nothing while it is not enabled", () => {
    run(code, [BigInt(CODE + 2)], 0n);
    expect(interrupted()).toBeUndefined();
  });
});

describe("a data breakpoint", () => {
  it.each([
    ["a byte inside", DATA + 2, 0x88],
    ["a doubleword that overlaps", DATA - 2, 0x89],
  ])("traps behind a write of %s", (_what, address, opcode) => {
    // mov [rsi], eax; inc ebx; hlt
    cpu.state.setGeneral(6, BigInt(address));
    run([opcode, 0x06, 0xff, 0xc3, HLT], [BigInt(DATA)], enable(0, WRITE, FOUR_BYTES));
    expect(interrupted()).toBe(BigInt(CODE + 2));
    expect(hits()).toBe(1n);
  });

  it("lets reads and neighbours pass if it is for writes, and stops both kinds if it is for accesses", () => {
    // mov eax, [rsi]; mov [rsi+8], eax; hlt
    const code = [0x8b, 0x06, 0x89, 0x46, 0x08, HLT];
    cpu.state.setGeneral(6, BigInt(DATA));
    run(code, [BigInt(DATA)], enable(0, WRITE, FOUR_BYTES));
    expect(interrupted()).toBeUndefined();
    cpu = interpreterMachine();
    cpu.state.setGeneral(6, BigInt(DATA));
    run(code, [BigInt(DATA)], enable(0, ACCESS, FOUR_BYTES));
    expect(interrupted()).toBe(BigInt(CODE + 2));
  });

  it("stops a REP behind the round that hit", () => {
    // mov ecx, 8; lea rdi, [DATA]; rep stosb; hlt
    cpu.state.setGeneral(7, BigInt(DATA));
    run([0xb9, 8, 0, 0, 0, 0xf3, 0xaa, HLT], [BigInt(DATA + 3)], enable(0, WRITE));
    expect(interrupted()).toBe(BigInt(CODE + 5));
    expect(cpu.state.general(1)).toBe(4n);
  });

  it("counts an instruction that writes and jumps once, and names all breakpoints hit", () => {
    // lock inc dword [rsi]; jmp +0; hlt
    cpu.state.setGeneral(6, BigInt(DATA));
    run([0xf0, 0xff, 0x06, 0xeb, 0, HLT], [BigInt(DATA), 0n, BigInt(DATA)], enable(0, WRITE) | enable(2, ACCESS));
    expect(interrupted()).toBe(BigInt(CODE + 3));
    expect(hits()).toBe(5n);
    expect(cpu.memory.read(BigInt(DATA), 4)).toBe(1n);
  });

  it("comes one instruction late behind MOV SS", () => {
    // mov ss, [rsi]; inc ebx; inc ebx; hlt
    cpu.memory.write(BigInt(DATA), 2, 0x10n);
    cpu.state.setGeneral(6, BigInt(DATA));
    run([0x8e, 0x16, 0xff, 0xc3, 0xff, 0xc3, HLT], [BigInt(DATA)], enable(0, ACCESS));
    expect(interrupted()).toBe(BigInt(CODE + 4));
  });

  it("gives way to a fault of the same instruction", () => {
    // movsd from the breakpoint to an address that is not canonical
    cpu.state.setGeneral(6, BigInt(DATA));
    cpu.state.setGeneral(7, 1n << 50n);
    run([0xa5, HLT], [BigInt(DATA)], enable(0, ACCESS));
    expect(cpu.state.get(STATE.rip)).toBe(BigInt(HANDLERS + 13 * 16 + 1));
    expect(hits()).toBe(0n);
  });
});

describe("an I/O breakpoint", () => {
  it("traps behind IN and OUT of its port, with CR4.DE", () => {
    // in al, 0x70; out 0x71, al; hlt
    run([0xe4, 0x70, 0xe6, 0x71, HLT], [0x71n], enable(0, PORT));
    expect(interrupted()).toBe(BigInt(CODE + 4));
  });
});

describe("DR7.GD", () => {
  it("faults at the next access to a debug register and is cleared for the handler", () => {
    // mov rax, dr0; hlt
    run([0x0f, 0x21, 0xc0, HLT], [], 0x2000n);
    expect(interrupted()).toBe(BigInt(CODE));
    expect(hits()).toBe(0x2000n);
    expect(cpu.state.get(STATE.dr7) & 0x2000n).toBe(0n);
  });
});

describe("MOV to DR7", () => {
  it("arms breakpoints for the instructions behind it", () => {
    // mov dr7, rax; mov [rsi], eax; hlt
    cpu.state.setGeneral(0, enable(0, WRITE));
    cpu.state.setGeneral(6, BigInt(DATA));
    // The page is in the TLB already.
    cpu.memory.write(BigInt(DATA), 4, 0n);
    run([0x89, 0x06, 0x0f, 0x23, 0xf8, 0x89, 0x06, HLT], [BigInt(DATA)], 0n);
    expect(interrupted()).toBe(BigInt(CODE + 7));
  });
});

describe("the trap flag", () => {
  it("comes together with a data breakpoint", () => {
    cpu.state.flags |= BigInt(RFLAGS.TF);
    cpu.state.setGeneral(6, BigInt(DATA));
    run([0x89, 0x06, HLT], [BigInt(DATA)], enable(0, WRITE));
    expect(hits()).toBe(0x4001n);
  });
});

describe("a task whose T bit is set", () => {
  const TASK = 0x2000;
  const OLD_TSS = 0x5000;
  const NEW_TSS = 0x5100;

  it("is trapped before its first instruction, with DR6.BT", () => {
    enterProtectedMode({ state: cpu.state, write: (address, bytes) => cpu.ram.write(address, bytes) });
    const available = (base: number): bigint => 0x0000_8900_0000_0067n | (BigInt(base) << 16n);
    cpu.ram.write(0x6000 + 0x28, quadwords(available(OLD_TSS), available(NEW_TSS)));
    cpu.state.setNumber(STATE.gdtLimit, 0x37);
    const tss = new DataView(new ArrayBuffer(0x68));
    const put = (offset: number, value: number): void => tss.setUint32(offset, value, true);
    put(0x20, TASK);
    put(0x24, 2);
    put(0x38, DATA);
    for (let n = 0; n < 6; n++) put(0x48 + n * 4, n === 1 ? 0x08 : 0x10);
    put(0x64, 1);
    cpu.ram.write(OLD_TSS, new Uint8Array(0x68));
    cpu.ram.write(NEW_TSS, new Uint8Array(tss.buffer));
    cpu.ram.write(TASK, Uint8Array.of(0x43, HLT));
    // mov ax, 28h; ltr ax; jmp 30h:0
    run([0x66, 0xb8, 0x28, 0, 0x0f, 0x00, 0xd8, 0xea, 0, 0, 0, 0, 0x30, 0], [], 0n);
    expect(cpu.state.get(STATE.rip)).toBe(DB_HANDLER + 1n);
    expect(hits()).toBe(0x8000n);
    expect(cpu.memory.read(cpu.state.general(4), 4)).toBe(BigInt(TASK));
  });
});
