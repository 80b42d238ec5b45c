// What compiled code must get exactly right: the state at a fault, code that changes itself, and where a run stops.
import { describe, expect, it } from "vitest";
import { STATE } from "../../../../native-core/x86/state-layout.ts";
import { COMPILE_AT_ONCE, Lockstep } from "../../../support/cpu/lockstep.ts";
import { CODE, DATA, HANDLERS, interpreterMachine, quadwords, STACK } from "../../../support/cpu/long-mode.ts";

const HLT = 0xf4;
/** Outside the only page that is mapped. */
const UNMAPPED = 0x4000_0000n;
const PAGE_FAULT_HANDLER = HANDLERS + 14 * 16;

const lockstep = new Lockstep();

function prepare(code: readonly number[], registers: Readonly<Record<number, bigint>> = {}): void {
  lockstep.write(CODE, code);
  lockstep.set((state) => {
    for (let n = 0; n < 16; n++) state.setGeneral(n, registers[n] ?? BigInt(DATA + n * 0x100));
    state.setGeneral(4, registers[4] ?? BigInt(STACK));
    state.flags = 2n;
    state.set(STATE.rip, BigInt(CODE));
    state.set(STATE.instructionCount, 0n);
    state.setNumber(STATE.halted, 0);
  });
}

const int32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];

describe("a fault", () => {
  // Each instruction uses its own base register; the arithmetic between them leaves flags and registers to be seen.
  const pieces: readonly (readonly number[])[] = [
    [0x48, 0x8b, 0x03], // mov rax, [rbx]
    [0x48, 0x01, 0x45, 0x00], // add [rbp], rax
    [0x66, 0x89, 0x06], // mov [rsi], ax
    [0x48, 0xff, 0xc9], // dec rcx
    [0x12, 0x07], // adc al, [rdi]
    [0x41, 0xff, 0x00], // inc dword [r8]
    [0x41, 0xff, 0x31], // push qword [r9]
    [0x41, 0x8f, 0x02], // pop qword [r10]
    [0xf3, 0x41, 0x0f, 0x6f, 0x03], // movdqu xmm0, [r11]
    [0x31, 0xd2, 0x41, 0xf7, 0x34, 0x24], // xor edx, edx; div dword [r12]
    [0x4d, 0x0f, 0xb1, 0x75, 0x00], // cmpxchg [r13], r14
  ];
  const bases = [3, 5, 6, 7, 8, 9, 10, 11, 12, 13];

  it.each(bases)("through register %i finds the state as the interpreter leaves it", (base) => {
    const code = [...pieces.flat(), 0xe9];
    prepare([...code, ...int32(-(code.length + 4))], { 1: 40n, 12: BigInt(DATA + 0x800) });
    lockstep.write(DATA + 0x800, [7, 0, 0, 0]);
    lockstep.run(200, 3, "warm");
    lockstep.set((state) => {
      state.setGeneral(base, UNMAPPED);
      state.setGeneral(2, 0n);
    });
    lockstep.run(400, 2, `register ${base}`);
    expect(lockstep.compiled.state.get(STATE.rip)).toBe(BigInt(PAGE_FAULT_HANDLER + 1));
  });
});

describe("vector registers that the system takes away", () => {
  const PADDB = [0x66, 0x0f, 0xfc, 0xc1]; // paddb xmm0, xmm1
  const SET_TS = [0x0f, 0x20, 0xc0, 0x0c, 0x08, 0x0f, 0x22, 0xc0]; // mov rax, cr0; or al, 8; mov cr0, rax
  const NO_DEVICE_HANDLER = HANDLERS + 7 * 16;

  it.each([
    ["in a block", [...PADDB, ...SET_TS, ...PADDB]],
    // call +1; hlt; mov ...; ret: the caller goes on as if the function were any other.
    ["in a function called", [...PADDB, 0xe8, PADDB.length + 1, 0, 0, 0, ...PADDB, HLT, ...SET_TS, 0xc3]],
    // paddb; loop: paddb; dec rcx; jnz loop; mov ...; paddb
    ["behind a loop", [...PADDB, ...PADDB, 0x48, 0xff, 0xc9, 0x75, 0xf7, ...SET_TS, ...PADDB]],
  ])("are missed by the next instruction that uses them: %s", (_, code) => {
    const own = new Lockstep();
    own.write(CODE, code);
    for (const steps of [1, 3, 200]) {
      own.set((state) => {
        state.setGeneral(1, 20n);
        state.setGeneral(4, BigInt(STACK));
        state.set(STATE.cr0, state.get(STATE.cr0) & ~8n);
        state.setNumber(STATE.vectorBlocked, 0);
        state.setVector(1, 0x0102_0304n);
        state.set(STATE.rip, BigInt(CODE));
        state.setNumber(STATE.halted, 0);
      });
      own.run(steps, 200, `steps of ${steps}`);
      expect(own.compiled.state.get(STATE.rip)).toBe(BigInt(NO_DEVICE_HANDLER + 1));
    }
  });
});

describe("a device that is written to", () => {
  it("may have memory mapped elsewhere, which the next instruction sees", () => {
    const PD1 = 0x3008;
    const SECOND_2_MIB = 0x20_0000;
    let remaps = false;
    const cpu = interpreterMachine(
      undefined,
      undefined,
      {
        readMmio: () => 0xffff_ffff,
        writeMmio: () => {
          if (!remaps) return;
          cpu.ram.write(PD1, quadwords(BigInt(SECOND_2_MIB) | 0x87n));
          cpu.dropLater("all");
          cpu.dropNow();
        },
      },
      COMPILE_AT_ONCE,
    );
    cpu.ram.write(PD1, quadwords(0x87n));
    cpu.ram.write(DATA, quadwords(1n, 2n));
    // mov rax, [rbx]; mov [rdx], ecx; mov rsi, [rbx + 8]; hlt
    cpu.ram.write(CODE, Uint8Array.of(0x48, 0x8b, 0x03, 0x89, 0x0a, 0x48, 0x8b, 0x73, 0x08, HLT));
    for (const expected of [2n, 2n, (1n << 64n) - 1n]) {
      remaps = expected !== 2n;
      cpu.state.setGeneral(3, BigInt(SECOND_2_MIB + DATA));
      cpu.state.setGeneral(2, 0x10_0000n);
      cpu.state.set(STATE.rip, BigInt(CODE));
      cpu.state.setNumber(STATE.halted, 0);
      cpu.run(100);
      expect(cpu.state.general(6)).toBe(expected);
    }
  });
});

describe("code that writes itself", () => {
  it("executes what it has just written in the same block", () => {
    // mov byte [rip + 3], 0xc3: of two INC EAX the second becomes INC EBX.
    const code = [0xc6, 0x05, 0x03, 0, 0, 0, 0xc3, 0xff, 0xc0, 0xff, 0xc0, HLT];
    for (let round = 0; round < 3; round++) {
      prepare(code);
      lockstep.run(100, 2, "patched ahead");
      expect(lockstep.compiled.state.general(3)).toBe(BigInt(DATA + 0x301));
    }
  });

  it("executes what it has written in a loop it is in", () => {
    // loop: inc eax; inc byte [its ModRM]; dec rcx; jnz loop; hlt. The register that is counted up walks on.
    const loop = [0xff, 0xc0, 0xfe, 0x05, ...int32(-7), 0x48, 0xff, 0xc9, 0x75, 0xf3, HLT];
    for (const steps of [1, 3, 100]) {
      prepare(loop, { 1: 4n, 4: BigInt(STACK) });
      lockstep.run(steps, 60, `steps of ${steps}`);
    }
  });

  it("returns into a caller that the callee has rewritten", () => {
    // call f; inc eax; hlt; f: mov byte [after call + 1], 0xc3; ret
    const code = [0xe8, 0x03, 0, 0, 0, 0xff, 0xc0, HLT, 0xc6, 0x05, ...int32(-9), 0xc3, 0xc3];
    for (let round = 0; round < 3; round++) {
      prepare(code);
      // The first time through the block behind the call must be known.
      lockstep.run(100, 2, "rewritten caller");
      expect(lockstep.compiled.state.general(3)).toBe(BigInt(DATA + 0x301));
    }
  });
});

describe("a run", () => {
  it("stops at the same instruction whatever its budget", () => {
    // loop: add rax, rbx; call f; dec rcx; jnz loop; hlt; f: test al, 1; jz +3; inc rdx; ret
    const code = [
      ...[0x48, 0x01, 0xd8, 0xe8, 0x06, 0, 0, 0, 0x48, 0xff, 0xc9, 0x75, 0xf3, HLT],
      ...[0xa8, 0x01, 0x74, 0x03, 0x48, 0xff, 0xc2, 0xc3],
    ];
    for (let budget = 1; budget < 24; budget++) {
      prepare(code, { 1: 30n, 3: 3n });
      lockstep.run(budget, 400, `budget ${budget}`);
    }
  });

  it("compiles a loop whole, also where the interpreter has fused a compare with its branch", () => {
    const own = new Lockstep();
    // loop: add rax, rbx; cmp rax, rcx; jb loop; hlt
    own.write(CODE, [0x48, 0x01, 0xd8, 0x48, 0x39, 0xc8, 0x72, 0xf8, HLT]);
    own.set((state) => {
      state.setGeneral(0, 0n);
      state.setGeneral(1, 100n);
      state.setGeneral(3, 1n);
      state.set(STATE.rip, BigInt(CODE));
    });
    own.run(50, 20, "loop");
    // The loop of three operations and what is behind it: HLT.
    expect(own.compiled.jit?.statistics.operations).toBeGreaterThanOrEqual(4);
  });

  it("has compiled what it executed", () => {
    const { jit } = lockstep.compiled;
    expect(jit?.statistics.regions).toBeGreaterThan(10);
  });
});
