import { describe, expect, it } from "vitest";
import type { CodeMode } from "../../../native-core/x86/decoder/decode-block.ts";
import { disassemble } from "../../../native-core/x86/decoder/disassemble.ts";

function text(hex: string, mode: CodeMode, rip = 0x1000n): string {
  const bytes = Uint8Array.from(hex.split(" "), (byte) => Number.parseInt(byte, 16));
  const result = disassemble(bytes, rip, mode);
  if (result.text !== "(bad)") expect(result.length).toBe(bytes.length);
  return result.text;
}

describe("disassembly of VEX encodings (SDM 2A 2.3)", () => {
  it.each([
    ["c5 f4 58 c2", "vaddps ymm0,ymm1,ymm2"],
    ["c5 f2 58 03", "vaddss xmm0,xmm1,DWORD PTR [rbx]"],
    ["c4 41 2c 58 c7", "vaddps ymm8,ymm10,ymm15"],
    ["c4 e3 5d 4b e5 20", "vblendvpd ymm4,ymm4,ymm5,ymm2"],
    ["c4 c2 e1 be 04 8a", "vfnmsub231pd xmm0,xmm3,XMMWORD PTR [r10+rcx*4]"],
    ["c4 c2 61 90 a4 15 1f 3e 00 00", "vpgatherdd xmm4,[r13+xmm2*1+0x3e1f],xmm3"],
    ["c4 e2 f0 f2 c2", "andn rax,rcx,rdx"],
    ["c4 e3 7b f0 c2 07", "rorx eax,edx,0x7"],
    ["c5 f8 77", "vzeroupper"],
    ["c5 fc 77", "vzeroall"],
  ])("%s is %s", (hex, expected) => expect(text(hex, 8)).toBe(expected));

  it.each([
    ["66 c5 f4 58 c2", "66"],
    ["f3 c5 f4 58 c2", "F3"],
    ["f2 c5 f4 58 c2", "F2"],
    ["f0 c5 f4 58 c2", "LOCK"],
    ["48 c5 f4 58 c2", "REX"],
  ])("%s is undefined: %s before VEX", (hex) => expect(text(hex, 8)).toBe("(bad)"));

  it.each([
    ["c5 f4 28 c2", "VEX.vvvv is not 1111 where it is not used"],
    ["c5 f4 12 c2", "VEX.L is 1 in MOVHLPS"],
    ["c4 e2 fd 18 c2", "VEX.W is 1 in VBROADCASTSS"],
    ["c4 e4 7d 18 c2", "map 4 does not exist"],
    ["c4 c2 61 90 c5", "a gather from a register"],
    ["c4 c2 61 90 01", "a gather without SIB"],
  ])("%s is undefined: %s", (hex) => expect(text(hex, 8)).toBe("(bad)"));

  it("exists outside 64-bit mode where LDS and LES would name a register", () => {
    expect(text("c5 f4 58 c2", 4)).toBe("vaddps ymm0,ymm1,ymm2");
    expect(text("c4 e2 70 f2 c2", 2)).toBe("andn eax,ecx,edx");
    expect(text("c5 06", 4)).toBe("lds eax,[esi]");
    expect(text("c4 06", 4)).toBe("les eax,[esi]");
  });
});

describe("disassembly of 64-bit code", () => {
  it.each([
    ["90", "nop"],
    ["41 90", "xchg r8d,eax"],
    ["f3 90", "pause"],
    ["48 89 c3", "mov rbx,rax"],
    ["4c 8b 64 24 f8", "mov r12,QWORD PTR [rsp-0x8]"],
    ["88 e0", "mov al,ah"],
    ["40 88 e0", "mov al,spl"],
    ["48 b8 88 77 66 55 44 33 22 11", "mov rax,0x1122334455667788"],
    ["b8 ff ff ff ff", "mov eax,0xffffffff"],
    ["48 c7 c0 ff ff ff ff", "mov rax,0xffffffffffffffff"],
    ["48 83 c4 80", "add rsp,0xffffffffffffff80"],
    ["66 83 c0 ff", "add ax,0xffff"],
    ["8b 05 10 00 00 00", "mov eax,DWORD PTR [rip+0x10]"],
    ["67 8b 04 25 10 00 00 00", "mov eax,DWORD PTR ds:0x10"],
    ["64 48 8b 04 25 28 00 00 00", "mov rax,QWORD PTR fs:0x28"],
    ["65 48 8b 0c d8", "mov rcx,QWORD PTR gs:[rax+rbx*8]"],
    ["67 8d 04 b5 00 00 00 80", "lea eax,[esi*4-0x80000000]"],
    ["48 a1 88 77 66 55 44 33 22 11", "mov rax,ds:0x1122334455667788"],
    ["0f be 07", "movsx eax,BYTE PTR [rdi]"],
    ["48 63 c8", "movsxd rcx,eax"],
    ["f0 48 0f c7 0b", "lock cmpxchg16b XMMWORD PTR [rbx]"],
    ["f0 0f c7 0b", "lock cmpxchg8b QWORD PTR [rbx]"],
    ["f3 48 ab", "rep stos QWORD PTR es:[rdi]"],
    ["f2 ae", "repnz scas BYTE PTR es:[rdi]"],
    ["f3 a6", "repz cmps BYTE PTR ds:[rsi],BYTE PTR es:[rdi]"],
    ["48 99", "cqo"],
    ["48 cf", "iretq"],
    ["e3 fe", "jrcxz 0x1000"],
    ["67 e3 fd", "jecxz 0x1000"],
    ["e8 fb ff ff ff", "call 0x1000"],
    ["0f 20 d8", "mov rax,cr3"],
    ["44 0f 22 c0", "mov cr8,rax"],
    ["8e d8", "mov ds,ax"],
    ["0f 01 f8", "swapgs"],
    ["0f 01 f9", "rdtscp"],
    ["0f 01 3b", "invlpg [rbx]"],
    ["0f ae e8", "lfence"],
    ["c8 10 00 01", "enter 0x10,0x1"],
    ["48 0f a4 d8 04", "shld rax,rbx,0x4"],
    ["0f 0b", "ud2"],
    ["06", "(bad)"],
    ["c4 e2 7d 57 c0", "(bad)"],
    ["0f 24 c0", "(bad)"],
  ])("%s is %s", (hex, expected) => expect(text(hex, 8)).toBe(expected));
});

describe("disassembly of 32-bit code", () => {
  it.each([
    ["40", "inc eax"],
    ["8b 47 04", "mov eax,DWORD PTR [edi+0x4]"],
    ["67 8b 47 04", "mov eax,DWORD PTR [bx+0x4]"],
    ["66 b8 34 12", "mov ax,0x1234"],
    ["36 a1 44 33 22 11", "mov eax,ss:0x11223344"],
    ["a0 44 33 22 11", "mov al,ds:0x11223344"],
    ["ea 44 33 22 11 08 00", "jmpf 0x8:0x11223344"],
    ["c4 07", "les eax,[edi]"],
    ["63 c1", "arpl cx,ax"],
    ["0f 22 c0", "mov cr0,eax"],
  ])("%s is %s", (hex, expected) => expect(text(hex, 4)).toBe(expected));
});

describe("disassembly of 16-bit code", () => {
  it.each([
    ["8b 42 fe", "mov ax,WORD PTR [bp+si-0x2]"],
    ["8b 06 34 12", "mov ax,WORD PTR ds:0x1234"],
    ["66 8b 07", "mov eax,DWORD PTR [bx]"],
    ["67 66 8b 04 24", "mov eax,DWORD PTR [esp]"],
    ["e9 fd ff", "jmp 0x1000"],
    ["66 ea 44 33 22 11 08 00", "jmpf 0x8:0x11223344"],
    ["26 a4", "movs BYTE PTR es:[di],BYTE PTR es:[si]"],
  ])("%s is %s", (hex, expected) => expect(text(hex, 2)).toBe(expected));
});
