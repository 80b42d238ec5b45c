// Computed jumps and calls in regions: where they go by their profile, what happens when they go elsewhere, and when what is there changes.
// Against the interpreter, in runs that end everywhere.
import { describe, expect, it } from "vitest";
import {
  DEC_RCX,
  finish,
  HLT,
  INC_RAX,
  INC_RDX,
  int32,
  int64,
  mapEachPage,
  RET,
  start,
  WARM,
  waysOut,
} from "../../../support/cpu/hot-program.ts";
import { Lockstep } from "../../../support/cpu/lockstep.ts";
import { CODE, DATA, enterProtectedMode } from "../../../support/cpu/long-mode.ts";

const OTHER_PAGE = CODE + 0x1000;
const THIRD_PAGE = CODE + 0x2000;
const RBX = 3;
const RCX = 1;
const RSI = 6;
const RDI = 7;
const R8 = 8;

/** r8d = r8d * 1664525 + 1013904223; edx = a number below `count`, from its upper half */
const random = (count: number): number[] => [
  ...[0x45, 0x69, 0xc0, ...int32(1664525), 0x41, 0x81, 0xc0, ...int32(1013904223)],
  ...[0x44, 0x89, 0xc2, 0xc1, 0xea, 16, 0x6b, 0xd2, count, 0xc1, 0xea, 16],
];
/** edx = (edx + 1) modulo `count`, in R8 */
const inTurn = (count: number): number[] => [
  // inc r8d; cmp r8d, count; jb +3; xor r8d, r8d; mov edx, r8d
  ...[0x41, 0xff, 0xc0, 0x41, 0x83, 0xf8, count, 0x72, 3, 0x45, 0x31, 0xc0, 0x44, 0x89, 0xc2],
];
/** jmp [rsi + rdx * 8] */
const JUMP_BY_TABLE = [0xff, 0x24, 0xd6];
/** movsxd rdx, [rsi + rdx * 4]; add rdx, rsi; jmp rdx */
const JUMP_BY_OFFSETS = [0x48, 0x63, 0x14, 0x96, 0x48, 0x01, 0xf2, 0xff, 0xe2];

interface Switch {
  readonly select: readonly number[];
  readonly jump: readonly number[];
  /** Where the cases begin. */
  readonly cases: readonly number[];
}

/** CODE: `select`, `jump`; each case: add rax, its address; jmp back: dec rcx; jnz CODE; hlt. Yields the place of `back`. */
function writeSwitch(lockstep: Lockstep, { select, jump, cases }: Switch): void {
  const head = [...select, ...jump];
  const back = CODE + head.length;
  lockstep.write(CODE, [...head, ...DEC_RCX, 0x0f, 0x85, ...int32(-head.length - 9), HLT]);
  for (const at of cases) lockstep.write(at, [0x48, 0x05, ...int32(at), 0xe9, ...int32(back - at - 11)]);
  const byOffsets = jump === JUMP_BY_OFFSETS;
  lockstep.write(
    DATA,
    cases.flatMap((at) => (byOffsets ? int32(at - DATA) : int64(at))),
  );
}

const casesAt = (first: number, count: number, distance = 0x10): number[] =>
  Array.from({ length: count }, (_, n) => first + n * distance);

describe("a switch", () => {
  for (const [count, distance] of [
    [2, 0x10],
    [5, 0x10],
    [16, 0x10],
    [40, 0x10],
    [12, 0x200],
  ] as const) {
    const where = distance > 0x100 ? "in several pages" : "in one page";
    for (const [how, jump] of [
      ["a table of addresses", JUMP_BY_TABLE],
      ["a table of offsets", JUMP_BY_OFFSETS],
    ] as const) {
      it(`of ${count} cases ${where} goes by ${how}`, () => {
        const lockstep = new Lockstep(WARM);
        writeSwitch(lockstep, { select: random(count), jump, cases: casesAt(CODE + 0x400, count, distance) });
        start(lockstep, { [RCX]: 900, [RSI]: DATA, [R8]: 1 });
        finish(lockstep, `${count} cases`);
        expect(lockstep.compiled.jit?.statistics.regions).toBeGreaterThan(0);
      });
    }
  }

  it("of 12 cases is one region, which nothing leaves", () => {
    const lockstep = new Lockstep({ threshold: 100, batch: 1 });
    writeSwitch(lockstep, { select: inTurn(12), jump: JUMP_BY_TABLE, cases: casesAt(CODE + 0x400, 12) });
    start(lockstep, { [RCX]: 1e6, [RSI]: DATA });
    lockstep.run(10_000, 10, "warming up");
    const before = waysOut(lockstep);
    lockstep.run(100_000, 3, "warm");
    expect(waysOut(lockstep) - before).toBeLessThanOrEqual(3);
  });

  it("whose cases are others later has them in its region too, and is not made anew for ever", () => {
    const lockstep = new Lockstep({ threshold: 100, batch: 1 });
    const cases = casesAt(CODE + 0x400, 12);
    writeSwitch(lockstep, { select: inTurn(3), jump: JUMP_BY_TABLE, cases });
    start(lockstep, { [RCX]: 1e6, [RSI]: DATA });
    for (const first of [0, 3, 6, 9, 0, 6]) {
      lockstep.set((state) => state.setGeneral(RSI, BigInt(DATA + first * 8)));
      lockstep.run(5000, 20, `from case ${first} on`);
      const before = waysOut(lockstep);
      lockstep.run(10_000, 1, `from case ${first} on, warm`);
      expect(waysOut(lockstep) - before).toBeLessThanOrEqual(1);
    }
    expect(lockstep.compiled.jit?.statistics.regions).toBeLessThan(40);
  });

  it("may change one of its cases", () => {
    const lockstep = new Lockstep(WARM);
    const cases = casesAt(OTHER_PAGE, 6);
    // inc byte [a case's constant]
    const change = [0xfe, 0x04, 0x25, ...int32((cases[2] as number) + 2)];
    writeSwitch(lockstep, { select: [...change, ...random(6)], jump: JUMP_BY_TABLE, cases });
    start(lockstep, { [RCX]: 300, [RSI]: DATA, [R8]: 7 });
    finish(lockstep, "changed case");
  });

  it("may have a case that raises an exception", () => {
    const lockstep = new Lockstep(WARM);
    const cases = casesAt(CODE + 0x400, 6, 0x20);
    writeSwitch(lockstep, { select: random(6), jump: JUMP_BY_TABLE, cases });
    // In front of the fourth case: cmp rcx, 20; ja +2; ud2
    const fourth = cases[3] as number;
    lockstep.write(fourth - 8, [0x48, 0x83, 0xf9, 20, 0x77, 2, 0x0f, 0x0b]);
    lockstep.write(DATA + 3 * 8, int64(fourth - 8));
    start(lockstep, { [RCX]: 400, [RSI]: DATA, [R8]: 5 });
    lockstep.run(37, 400, "exception");
    expect(lockstep.interpreter.state.general(RCX)).toBeLessThanOrEqual(20n);
    expect(lockstep.interpreter.state.general(RCX)).toBeGreaterThan(0n);
  });

  it("may change one of its cases until there is no room for blocks, and all of them go", () => {
    const lockstep = new Lockstep(WARM, 0x1000);
    const cases = casesAt(OTHER_PAGE, 6);
    // test cl, 15; jnz +7; inc byte [a case's constant]
    const change = [0xf6, 0xc1, 15, 0x75, 7, 0xfe, 0x04, 0x25, ...int32((cases[2] as number) + 2)];
    writeSwitch(lockstep, { select: [...change, ...random(6)], jump: JUMP_BY_TABLE, cases });
    start(lockstep, { [RCX]: 500, [RSI]: DATA, [R8]: 7 });
    finish(lockstep, "full cache");
    expect(lockstep.compiled.jit?.statistics.regions).toBeGreaterThan(3);
  });

  it("may change its own table", () => {
    const lockstep = new Lockstep(WARM);
    const cases = casesAt(CODE + 0x400, 6);
    // xor byte [DATA], 0x30: the first case is the fourth one by turns
    const change = [0x80, 0x34, 0x25, ...int32(DATA), 0x30];
    writeSwitch(lockstep, { select: [...change, ...random(6)], jump: JUMP_BY_TABLE, cases });
    start(lockstep, { [RCX]: 300, [RSI]: DATA, [R8]: 7 });
    finish(lockstep, "changed table");
  });

  it("may have cases in a page that is mapped anew", () => {
    const lockstep = new Lockstep(WARM);
    const cases = casesAt(OTHER_PAGE, 6);
    const entry = mapEachPage(lockstep, OTHER_PAGE);
    // test cl, 15; jnz +10; xor qword [rbx], OTHER_PAGE ^ THIRD_PAGE; invlpg [rdi]
    const remap = [0x48, 0x81, 0x33, ...int32(OTHER_PAGE ^ THIRD_PAGE), 0x0f, 0x01, 0x3f];
    const select = [0xf6, 0xc1, 15, 0x75, remap.length, ...remap, ...random(6)];
    writeSwitch(lockstep, { select, jump: JUMP_BY_TABLE, cases });
    // The same jumps back, but other constants.
    for (const [n, at] of cases.entries()) {
      const copy = new Uint8Array(11);
      lockstep.interpreter.ram.read(at, copy);
      copy[2] = n;
      lockstep.write(THIRD_PAGE + n * 0x10, copy);
    }
    start(lockstep, { [RCX]: 400, [RSI]: DATA, [R8]: 7, [RBX]: entry, [RDI]: OTHER_PAGE });
    finish(lockstep, "mapped anew");
  });
});

/** CODE: `select`; call [rsi + rdx * 8]; `behind`; dec rcx; jnz CODE; hlt */
function writeCalls(
  lockstep: Lockstep,
  select: readonly number[],
  functions: readonly number[],
  behind: number[],
): void {
  const code = [...select, 0xff, 0x14, 0xd6, ...behind, ...DEC_RCX];
  lockstep.write(CODE, [...code, 0x0f, 0x85, ...int32(-code.length - 6), HLT]);
  lockstep.write(DATA, functions.flatMap(int64));
}

/** Too large to be inlined: add rax, imm32, so many times; ret */
const largeFunction = (constant: number): number[] => [
  ...Array.from({ length: 50 }, () => [0x48, 0x05, ...int32(constant)]).flat(),
  RET,
];

describe("a computed call", () => {
  for (const count of [1, 2, 3, 6]) {
    for (const [size, body] of [
      ["small", (n: number) => [0x48, 0x05, ...int32(n + 1), RET]],
      ["large", largeFunction],
    ] as const) {
      it(`of ${count} ${size} functions`, () => {
        const lockstep = new Lockstep(WARM);
        const functions = casesAt(OTHER_PAGE, count, 0x200);
        writeCalls(lockstep, random(count), functions, INC_RDX);
        for (const [n, at] of functions.entries()) lockstep.write(at, body(n));
        start(lockstep, { [RCX]: 300, [RSI]: DATA, [R8]: 3 });
        finish(lockstep, `${count} functions`, 37, 1000);
      });
    }
  }

  it("of two large functions goes there without the dispatcher", () => {
    const lockstep = new Lockstep({ threshold: 100, batch: 1 });
    const functions = [OTHER_PAGE, THIRD_PAGE];
    writeCalls(lockstep, inTurn(2), functions, INC_RDX);
    for (const [n, at] of functions.entries()) lockstep.write(at, largeFunction(n + 1));
    start(lockstep, { [RCX]: 1e6, [RSI]: DATA });
    lockstep.run(10_000, 10, "warming up");
    const before = waysOut(lockstep);
    lockstep.run(50_000, 2, "warm");
    // A run may end in a function, whose caller then does not wait.
    expect(waysOut(lockstep) - before).toBeLessThanOrEqual(6);
  });

  it("of functions that change the address they return to", () => {
    const lockstep = new Lockstep(WARM);
    // Behind the call an INC RDX, which the second function skips: inc rax; add qword [rsp], 3; ret
    writeCalls(lockstep, inTurn(3), [OTHER_PAGE, THIRD_PAGE, OTHER_PAGE], INC_RDX);
    lockstep.write(OTHER_PAGE, [...INC_RAX, RET]);
    lockstep.write(THIRD_PAGE, [...INC_RAX, 0x48, 0x83, 0x04, 0x24, 3, RET]);
    start(lockstep, { [RCX]: 400, [RSI]: DATA });
    finish(lockstep, "changed returns");
    expect(lockstep.compiled.state.general(0)).toBe(400n);
  });

  it("of a function that is overwritten by its caller", () => {
    const lockstep = new Lockstep(WARM);
    const functions = [OTHER_PAGE, THIRD_PAGE];
    // inc byte [a constant in the large function]
    const change = [0xfe, 0x04, 0x25, ...int32(OTHER_PAGE + 2)];
    writeCalls(lockstep, [...change, ...inTurn(2)], functions, INC_RDX);
    for (const [n, at] of functions.entries()) lockstep.write(at, largeFunction(n + 1));
    start(lockstep, { [RCX]: 200, [RSI]: DATA });
    finish(lockstep, "overwritten function", 37, 1000);
  });

  it("of a function in a page that is mapped anew", () => {
    const lockstep = new Lockstep(WARM);
    const entry = mapEachPage(lockstep, OTHER_PAGE);
    const remap = [0x48, 0x81, 0x33, ...int32(OTHER_PAGE ^ THIRD_PAGE), 0x0f, 0x01, 0x3f];
    writeCalls(lockstep, [0xf6, 0xc1, 7, 0x75, remap.length, ...remap, ...inTurn(2)], [OTHER_PAGE, CODE + 0x800], []);
    lockstep.write(OTHER_PAGE, largeFunction(1));
    lockstep.write(THIRD_PAGE, largeFunction(0x100));
    lockstep.write(CODE + 0x800, largeFunction(0x1_0000));
    start(lockstep, { [RCX]: 200, [RSI]: DATA, [RBX]: entry, [RDI]: OTHER_PAGE });
    finish(lockstep, "mapped anew", 37, 1000);
  });

  it("that pushes into its own code", () => {
    const lockstep = new Lockstep(WARM);
    writeCalls(lockstep, inTurn(2), [OTHER_PAGE, OTHER_PAGE + 0x40], INC_RDX);
    for (const at of [OTHER_PAGE, OTHER_PAGE + 0x40]) lockstep.write(at, [...INC_RAX, RET]);
    start(lockstep, { [RCX]: 100, [RSI]: DATA });
    lockstep.set((state) => state.setGeneral(4, BigInt(CODE + 0x800)));
    finish(lockstep, "stack in code");
  });
});

describe("in 32-bit code", () => {
  /** CODE: edi = (edi + 1) modulo `count`; `go` to [esi + edi * 4]; CODE + 0x20: dec ecx; jnz CODE; hlt */
  function program(count: number, go: number, functions: readonly number[]): Lockstep {
    const lockstep = new Lockstep(WARM);
    for (const cpu of lockstep.both()) {
      enterProtectedMode({ state: cpu.state, write: (address, bytes) => cpu.ram.write(address, bytes) });
      cpu.modeChanged();
    }
    const head = [0x47, 0x83, 0xff, count, 0x72, 2, 0x31, 0xff, 0xff, go, 0xbe];
    const filled = [...head, ...new Array<number>(0x20 - head.length).fill(0x90)];
    lockstep.write(CODE, [...filled, 0x49, 0x0f, 0x85, ...int32(-0x27), HLT]);
    lockstep.write(DATA, functions.flatMap(int32));
    start(lockstep, { [RCX]: 400, [RSI]: DATA });
    return lockstep;
  }

  it("a switch goes to its cases, in other pages too", () => {
    const cases = casesAt(CODE + 0x800, 8, 0x180);
    const lockstep = program(8, 0x24, cases);
    // add eax, imm32; jmp CODE + 0x20
    for (const at of cases) lockstep.write(at, [0x05, ...int32(at), 0xe9, ...int32(CODE + 0x20 - at - 10)]);
    finish(lockstep, "switch");
    expect(lockstep.compiled.jit?.statistics.regions).toBeGreaterThan(0);
  });

  it("calls go to each function", () => {
    const functions = casesAt(OTHER_PAGE, 3, 0x400);
    const lockstep = program(3, 0x14, functions);
    for (const at of functions) lockstep.write(at, [0x05, ...int32(at), RET]);
    finish(lockstep, "calls", 37, 1000);
    expect(lockstep.compiled.jit?.statistics.regions).toBeGreaterThan(0);
  });
});
