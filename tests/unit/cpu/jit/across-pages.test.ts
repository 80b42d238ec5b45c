// Regions over several pages: functions of another page become part of the region that calls them, and must stop being so when that page
// changes, is mapped anew, or returns elsewhere.
import { describe, expect, it } from "vitest";
import {
  DEC_RCX,
  finish,
  HLT,
  INC_RAX,
  INC_RDX,
  int32,
  mapEachPage,
  RET,
  start,
  WARM,
} from "../../../support/cpu/hot-program.ts";
import { Lockstep } from "../../../support/cpu/lockstep.ts";
import { CODE, DATA } from "../../../support/cpu/long-mode.ts";

const FUNCTION = CODE + 0x1000;
const OTHER = CODE + 0x2000;

/** loop: call FUNCTION; body; dec rcx; jnz loop; hlt */
function loop(body: readonly number[]): number[] {
  const code = [0xe8, ...int32(FUNCTION - CODE - 5), ...body, ...DEC_RCX];
  return [...code, 0x75, (-code.length - 2) & 255, HLT];
}

describe("a function in another page", () => {
  it("is executed as often as it is called", () => {
    const lockstep = new Lockstep(WARM);
    lockstep.write(CODE, loop([]));
    // push rax; inc rax; pop rdx; ret
    lockstep.write(FUNCTION, [0x50, ...INC_RAX, 0x5a, RET]);
    start(lockstep, { 1: 500 });
    finish(lockstep, "calls");
    expect(lockstep.compiled.state.general(0)).toBe(500n);
    expect(lockstep.compiled.jit?.statistics.regions).toBeGreaterThan(0);
  });

  it("may return elsewhere", () => {
    const lockstep = new Lockstep(WARM);
    // Behind the call an INC RDX, which the function skips when bit 2 of its count is set.
    lockstep.write(CODE, loop(INC_RDX));
    // inc rax; test al, 4; jz +5; add qword [rsp], 3; ret
    lockstep.write(FUNCTION, [...INC_RAX, 0xa8, 4, 0x74, 5, 0x48, 0x83, 0x04, 0x24, 3, RET]);
    start(lockstep, { 1: 400 });
    finish(lockstep, "skipping returns");
    expect(lockstep.compiled.state.general(2)).toBe(200n);
  });

  it("may be changed by its caller", () => {
    const lockstep = new Lockstep(WARM);
    // mov [FUNCTION + 2], bl; xor bl, 2: INC RAX (c0) and INC RDX (c2) by turns.
    lockstep.write(CODE, loop([0x88, 0x1c, 0x25, ...int32(FUNCTION + 2), 0x80, 0xf3, 2]));
    lockstep.write(FUNCTION, [...INC_RAX, RET]);
    start(lockstep, { 1: 300, 3: 0xc2 });
    finish(lockstep, "changed function");
    expect(lockstep.compiled.state.general(0)).toBe(150n);
  });

  it("may be changed from outside between two runs", () => {
    const lockstep = new Lockstep(WARM);
    lockstep.write(CODE, loop([]));
    for (const body of [INC_RAX, INC_RDX, [...INC_RAX, ...INC_RDX]]) {
      lockstep.write(FUNCTION, [...body, RET]);
      start(lockstep, { 1: 200 });
      finish(lockstep, "rewritten function");
    }
    expect(lockstep.compiled.state.general(0)).toBe(200n);
    expect(lockstep.compiled.state.general(2)).toBe(200n);
  });

  it("may be another one when its page is mapped anew", () => {
    const lockstep = new Lockstep(WARM);
    const entry = mapEachPage(lockstep, FUNCTION);
    // xor qword [rsi], FUNCTION ^ OTHER; invlpg [rdi]
    lockstep.write(CODE, loop([0x48, 0x81, 0x36, ...int32(FUNCTION ^ OTHER), 0x0f, 0x01, 0x3f]));
    lockstep.write(FUNCTION, [...INC_RAX, RET]);
    lockstep.write(OTHER, [...INC_RDX, RET]);
    start(lockstep, { 1: 300, 6: entry, 7: FUNCTION });
    finish(lockstep, "mapped anew");
    expect(lockstep.compiled.state.general(0)).toBe(150n);
    expect(lockstep.compiled.state.general(2)).toBe(150n);
  });
});

describe("an instruction that crosses a page end", () => {
  /** loop in front of the page end: body; add rax, imm32 (over the page end); dec rcx; jnz loop; hlt */
  const START = FUNCTION - 0x20;
  // The immediate's last three bytes are in the next page.
  const ADD = [0x48, 0x05, ...int32(0x0101_0101)];
  const LOOP = [...DEC_RCX, 0x0f, 0x85];

  function program(body: readonly number[]): Lockstep {
    const lockstep = new Lockstep(WARM);
    const ahead = FUNCTION - 3 - START;
    const filled = [...body, ...new Array<number>(ahead - body.length).fill(0x90)];
    const code = [...filled, ...ADD, ...LOOP];
    lockstep.write(START, [...code, ...int32(-(code.length + 4)), HLT]);
    // jmp START
    lockstep.write(CODE, [0xe9, ...int32(START - CODE - 5)]);
    return lockstep;
  }

  it("is compiled with what is around it", () => {
    const lockstep = program([]);
    start(lockstep, { 1: 400 });
    finish(lockstep, "crossing");
    expect(lockstep.compiled.state.general(0)).toBe(400n * 0x0101_0101n);
  });

  it("may be changed in its second page by the loop it is in", () => {
    // inc byte [FUNCTION]: the second byte of the immediate
    const lockstep = program([0xfe, 0x04, 0x25, ...int32(FUNCTION)]);
    start(lockstep, { 1: 300 });
    finish(lockstep, "changed");
  });

  it("is another one when its second page is mapped anew", () => {
    // test cl, 15; jnz +10; xor qword [rsi], FUNCTION ^ OTHER; invlpg [rdi]
    const remap = [0x48, 0x81, 0x36, ...int32(FUNCTION ^ OTHER), 0x0f, 0x01, 0x3f];
    const lockstep = program([0xf6, 0xc1, 15, 0x75, remap.length, ...remap]);
    const entry = mapEachPage(lockstep, FUNCTION);
    const tail = [2, 2, 2, ...LOOP];
    lockstep.write(OTHER, [...tail, ...int32(-(FUNCTION + tail.length + 4 - START)), HLT]);
    start(lockstep, { 1: 300, 6: entry, 7: FUNCTION });
    finish(lockstep, "mapped anew");
    expect(lockstep.compiled.state.general(0)).toBe(156n * 0x0101_0101n + 144n * 0x0202_0201n);
  });
});

describe("a computed call", () => {
  /** loop: body; call rbx; dec rcx; jnz loop; hlt */
  const callingRbx = (body: readonly number[]): number[] => {
    const code = [...body, 0xff, 0xd3, ...DEC_RCX];
    return [...code, 0x75, (-code.length - 2) & 255, HLT];
  };
  const NEAR = CODE + 0x200;

  for (const [where, target] of [
    ["in the same page", NEAR],
    ["in another page", FUNCTION],
  ] as const) {
    it(`goes where it went first, ${where}`, () => {
      const lockstep = new Lockstep(WARM);
      lockstep.write(CODE, callingRbx([]));
      lockstep.write(target, [...INC_RAX, RET]);
      start(lockstep, { 1: 300, 3: target });
      finish(lockstep, "one target");
      expect(lockstep.compiled.state.general(0)).toBe(300n);
    });

    it(`goes elsewhere, first ${where}`, () => {
      const lockstep = new Lockstep(WARM);
      // xchg rbx, rsi: the two functions by turns
      lockstep.write(CODE, callingRbx([0x48, 0x87, 0xf3]));
      // jmp rdi, to the same function each time
      lockstep.write(target, [0xff, 0xe7]);
      lockstep.write(OTHER, [...INC_RDX, RET]);
      lockstep.write(OTHER + 0x40, [...INC_RAX, RET]);
      start(lockstep, { 1: 300, 3: OTHER, 6: target, 7: OTHER + 0x40 });
      finish(lockstep, "two targets");
      expect(lockstep.compiled.state.general(0)).toBe(150n);
      expect(lockstep.compiled.state.general(2)).toBe(150n);
    });
  }
});

describe("a repeated string instruction", () => {
  it("moves, fills and compares over page ends, stopped anywhere", () => {
    const lockstep = new Lockstep(WARM);
    // f: mov rbx, rcx; lea rsi, [r8]; lea rdi, [r9]; mov ecx, 0x1100; rep movsb; mov ecx, 0x40; rep stosq;
    //    mov rsi, r8; mov rdi, r9; mov ecx, 0x300; repe cmpsb; add r9, rcx; mov rcx, rbx; ret
    lockstep.write(FUNCTION, [
      ...[0x48, 0x89, 0xcb, 0x4c, 0x89, 0xc6, 0x4c, 0x89, 0xcf, 0xb9, 0, 0x11, 0, 0, 0xf3, 0xa4],
      ...[0xb9, 0x40, 0, 0, 0, 0xf3, 0x48, 0xab, 0x4c, 0x89, 0xc6, 0x4c, 0x89, 0xcf],
      ...[0xb9, 0, 3, 0, 0, 0xf3, 0xa6, 0x49, 0x01, 0xc9, 0x48, 0x89, 0xd9, RET],
    ]);
    lockstep.write(CODE, loop(INC_RAX));
    lockstep.write(
      DATA,
      Uint8Array.from({ length: 0x4000 }, (_, n) => (n * 13) & 255),
    );
    start(lockstep, { 1: 60, 8: DATA + 0x345, 9: DATA + 0x5678 });
    finish(lockstep, "strings");
    expect(lockstep.compiled.state.general(0)).toBe(60n);
  });
});

describe("accesses through one register", () => {
  it("go on when the object crosses a page end", () => {
    const lockstep = new Lockstep(WARM);
    // f: mov rax, [rbx]; add [rbx+8], rax; mov rdx, [rbx+0x7f8]; mov [rbx-16], rdx; add rbx, 24; ret
    lockstep.write(FUNCTION, [
      ...[0x48, 0x8b, 0x03, 0x48, 0x01, 0x43, 8, 0x48, 0x8b, 0x93, ...int32(0x7f8)],
      ...[0x48, 0x89, 0x53, 0xf0, 0x48, 0x83, 0xc3, 24, RET],
    ]);
    lockstep.write(CODE, loop([]));
    lockstep.write(
      DATA,
      Uint8Array.from({ length: 0x4000 }, (_, n) => (n * 7) & 255),
    );
    start(lockstep, { 1: 400, 3: DATA + 0x100 });
    finish(lockstep, "object");
  });
});
