import { describe, expect, it } from "vitest";
import {
  type BlockResult,
  type CodeMode,
  type DecodedBlock,
  decodeBlock,
} from "../../../native-core/x86/decoder/decode-block.ts";
import { FORMS } from "../../../native-core/x86/forms.ts";
import { PSEUDO_REGISTERS } from "../../../native-core/x86/state-layout.ts";

const { ZERO, BLOCK_RIP, ADDRESS } = PSEUDO_REGISTERS;

/** Code at the start of an otherwise zero page. */
function decode(hex: string, mode: CodeMode = 8): DecodedBlock {
  const page = new Uint8Array(4096);
  page.set(bytesOf(hex));
  return block(decodeBlock(() => page, 0x1000n, mode));
}

function bytesOf(hex: string): number[] {
  return hex.split(" ").map((byte) => Number.parseInt(byte, 16));
}

function block(result: BlockResult): DecodedBlock {
  if ("faultOffset" in result) throw new Error("fetch fault");
  return result;
}

function names(result: DecodedBlock): string[] {
  return result.operations.map(({ handler }) => FORMS[handler]?.row.mnemonic ?? "?");
}

const RAX = 0;
const RBX = 3 * 8;
const R12 = 12 * 8;

describe("operations", () => {
  it("addresses registers by their byte offset, high bytes by odd ones", () => {
    expect(decode("88 e3 c3").operations[0]).toMatchObject({ reg: RBX, rm: 1 }); // mov bl, ah
    expect(decode("40 88 e3 c3").operations[0]).toMatchObject({ reg: RBX, rm: 4 * 8 }); // mov bl, spl
  });

  it("shares one handler between both directions of a register move", () => {
    const store = decode("48 89 d8 c3").operations[0]; // mov rax, rbx (89)
    const load = decode("48 8b c3 c3").operations[0]; // mov rax, rbx (8b)
    expect(store).toEqual(load);
  });

  it("takes base, index, scale and displacement from SIB", () => {
    const [operation] = decode("4a 8b 44 e3 f0 c3").operations; // mov rax, [rbx + r12*8 - 16]
    expect(operation).toMatchObject({ reg: RAX, rm: RBX, index: R12, scale: 3, disp: -16 });
  });

  it("marks an absent base and index as ZERO", () => {
    expect(decode("8b 04 25 78 56 34 12 c3").operations[0]).toMatchObject({ rm: ZERO, index: ZERO, disp: 0x12345678 });
  });

  it("folds start and length into a RIP-relative displacement", () => {
    const { operations } = decode("90 8b 05 10 00 00 00 c3"); // nop; mov eax, [rip + 16]
    expect(operations[1]).toMatchObject({ rm: BLOCK_RIP, index: ZERO, disp: 0x10 + 7, start: 1, length: 6 });
  });

  it("splits a RIP-relative displacement that no longer fits 32 bits", () => {
    const result = decode("8b 05 ff ff ff 7f c3");
    expect(names(result).slice(0, 2)).toEqual(["ADDRESS64", "MOV"]);
    expect(result.operations[0]).toMatchObject({ rm: BLOCK_RIP, disp: 0x7fffffff });
    expect(result.operations[1]).toMatchObject({ rm: ADDRESS, index: ZERO, disp: 6 });
  });

  it("holds branch targets relative to the block", () => {
    expect(decode("90 90 eb fe").operations[2]).toMatchObject({ disp: 2 });
    expect(decode("90 e9 00 01 00 00").operations[1]).toMatchObject({ disp: 0x106 });
  });

  it("keeps a 64-bit immediate in disp and imm", () => {
    const [operation] = decode("48 b8 88 77 66 55 44 33 22 11 c3").operations;
    expect(operation).toMatchObject({ disp: 0x55667788, imm: 0x11223344 });
  });

  it("computes an FS or GS address by an address operation of the same instruction", () => {
    const result = decode("90 65 48 8b 40 08 c3"); // nop; mov rax, gs:[rax + 8]
    expect(names(result)).toEqual(["NOP", "ADDRESS64_SEGMENT", "MOV", "RET"]);
    expect(result.instructionCount).toBe(3);
    expect(result.operations[1]).toMatchObject({ reg: 5, rm: RAX, disp: 8, start: 1, length: 5 });
    expect(result.operations[2]).toMatchObject({ rm: ADDRESS, index: ZERO, disp: 0, start: 1, length: 5 });
  });

  it("ignores ES, CS, SS and DS overrides in 64-bit code", () => {
    expect(names(decode("2e 8b 00 c3"))).toEqual(["MOV", "RET"]);
    expect(names(decode("64 3e 8b 00 c3"))).toEqual(["ADDRESS64_SEGMENT", "MOV", "RET"]);
  });

  it("truncates 32-bit addressing in 64-bit code, also for LEA", () => {
    expect(names(decode("67 8b 00 67 8d 00 c3"))).toEqual(["ADDRESS32", "MOV", "ADDRESS32", "LEA", "RET"]);
  });

  it("adds the segment to every memory operand of legacy code but not to LEA", () => {
    const result = decode("8b 45 08 8d 45 08 c3", 4);
    expect(names(result)).toEqual(["LEGACY32", "MOV", "ADDRESS32", "LEA", "RET"]);
    expect(result.operations[0]).toMatchObject({ reg: 2, imm: 0x9604 }); // SS for EBP; 4 bytes, read
  });

  it("tells an address operation of legacy code whether the operand is written", () => {
    expect(decode("89 00 c3", 4).operations[0]).toMatchObject({ imm: 0x9e04 }); // mov [eax], eax
    expect(decode("01 00 c3", 4).operations[0]).toMatchObject({ imm: 0x9e04 }); // add [eax], eax
    expect(decode("39 00 c3", 4).operations[0]).toMatchObject({ imm: 0x9604 }); // cmp [eax], eax
    expect(decode("ff 30 c3", 4).operations[0]).toMatchObject({ imm: 0x9604 }); // push [eax]
  });

  it("uses the bases of 16-bit addressing", () => {
    const result = decode("8b 42 02 c3", 2); // mov ax, [bp + si + 2]
    expect(names(result)).toEqual(["LEGACY16", "MOV", "RET"]);
    expect(result.operations[0]).toMatchObject({ reg: 2, rm: 5 * 8, index: 6 * 8, disp: 2, imm: 0x9602 });
  });

  it("computes an RSP-based POP destination after the increment", () => {
    expect(decode("8f 44 24 10 c3").operations[0]).toMatchObject({ rm: 4 * 8, disp: 0x18 });
    expect(decode("8f 43 10 c3").operations[0]).toMatchObject({ rm: RBX, disp: 0x10 });
  });

  it("needs no address operation where the operand is not used", () => {
    expect(names(decode("65 0f 1f 44 00 00 c3"))).toEqual(["NOP", "RET"]);
  });

  it.each([
    ["LOCK with a register destination", "f0 48 01 d8"],
    ["LOCK on an instruction that cannot be locked", "f0 48 8b 03"],
    ["LOCK CMP", "f0 48 39 03"],
    ["LEA with a register", "48 8d c0"],
    ["an opcode that 64-bit mode does not have", "27"],
    ["an unused opcode", "0f 04"],
  ])("%s raises #UD", (_, hex) => {
    expect(names(decode(hex))).toEqual(["UD"]);
  });

  it("an instruction of more than 15 bytes raises #GP", () => {
    const prefixes = Array(11).fill("2e").join(" ");
    expect(names(decode(`${prefixes} 48 83 c0 01 c3`))).toEqual(["ADD", "RET"]);
    expect(names(decode(`2e ${prefixes} 48 83 c0 01`))).toEqual(["GP"]);
    expect(names(decode(Array(20).fill("66").join(" ")))).toEqual(["GP"]);
  });

  it("a REX prefix counts only right before the opcode", () => {
    expect(decode("48 66 b8 01 00 c3").length).toBe(6);
    expect(names(decode("48 66 b8 01 00 c3"))).toEqual(["MOV", "RET"]);
  });
});

describe("blocks", () => {
  it("end with a control transfer", () => {
    const result = decode("90 90 74 00 90");
    expect(names(result)).toEqual(["NOP", "NOP", "JE"]);
    expect(result).toMatchObject({ length: 4, instructionCount: 3, crossesPage: false });
  });

  it("end with NEXT behind the last of a limited number of instructions", () => {
    const page = new Uint8Array(4096).fill(0x90);
    const result = block(decodeBlock(() => page, 0n, 8, { maxInstructions: 3 }));
    expect(names(result)).toEqual(["NOP", "NOP", "NOP", "NEXT"]);
    expect(result.operations[3]).toMatchObject({ start: 3, length: 0 });
  });

  it("start no instruction beyond what a byte can hold", () => {
    const page = new Uint8Array(4096);
    for (let at = 0; at < 4096; at += 10) page.set([0x48, 0xb8], at); // mov rax, imm64
    const result = block(decodeBlock(() => page, 0n, 8));
    expect(result.length).toBe(250);
    expect(result.operations.at(-1)?.start).toBe(250);
  });

  it("stop before an instruction that goes over the page end", () => {
    const rest = Uint8Array.from([0x90, 0x90, 0xe9, 0x00]);
    const result = block(decodeBlock(() => rest, 0x1ffcn, 8));
    expect(names(result)).toEqual(["NOP", "NOP", "NEXT"]);
    expect(result).toMatchObject({ length: 2, instructionCount: 2, crossesPage: false });
  });

  it("hold only that instruction if it comes first", () => {
    const pages = new Map([
      [0x1ffen, Uint8Array.from([0xe9, 0x00])],
      [0x2000n, Uint8Array.from([0x01, 0x00, 0x00, 0xcc])],
    ]);
    const result = block(decodeBlock((offset) => pages.get(offset), 0x1ffen, 8));
    expect(names(result)).toEqual(["JMP"]);
    expect(result).toMatchObject({ length: 5, instructionCount: 1, crossesPage: true });
    expect(result.operations[0]).toMatchObject({ disp: 0x105 });
  });

  it("end at the page end", () => {
    const result = block(decodeBlock(() => Uint8Array.from([0x90, 0x90]), 0x1ffen, 8));
    expect(names(result)).toEqual(["NOP", "NOP", "NEXT"]);
  });

  it("report the first byte that cannot be fetched", () => {
    expect(decodeBlock(() => undefined, 0x5000n, 8)).toEqual({ faultOffset: 0x5000n });
    const first = Uint8Array.from([0xe9]);
    expect(decodeBlock((offset) => (offset === 0x1fffn ? first : undefined), 0x1fffn, 8)).toEqual({
      faultOffset: 0x2000n,
    });
  });
});
