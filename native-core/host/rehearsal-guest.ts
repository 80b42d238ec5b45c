// The guest of a rehearsal (rehearsal.ts): a "kernel" of functions of common 64-bit instructions in no particular order, which it calls one
// after the other, again and again. What it computes is of no interest; what matters is that the decoder, the interpreter and the JIT get
// something of every kind to do.
import { SETUP } from "../firmware/linux-header.ts";

const FUNCTIONS = 300;
const STEPS = 10;
const LOAD_ADDRESS = 0x100_0000;
/** Where memory operands are: R15 points into it. */
const SCRATCH_ADDRESS = 0x80_0000;
const STACK_ADDRESS = 0x88_0000;
const SECTOR = 512;
const ENTRY_64 = 0x200;
const XORSHIFT_SEED = 0x2545_f491;

/** Opcodes whose operands are a register or memory (ModRM.rm) and a register (ModRM.reg). */
const TWO_OPERANDS: readonly (readonly number[])[] = [
  ...[0x01, 0x03, 0x09, 0x0b, 0x11, 0x13, 0x19, 0x1b, 0x21, 0x23, 0x29, 0x2b, 0x31, 0x33, 0x38, 0x39, 0x3b, 0x63].map(
    (opcode) => [opcode],
  ),
  ...[0x84, 0x85, 0x88, 0x89, 0x8a, 0x8b, 0x89, 0x8b].map((opcode) => [opcode]),
  // CMOVcc, SETcc, IMUL, MOVZX, MOVSX, XADD, BSF, BSR
  ...[0x42, 0x44, 0x45, 0x4c, 0x4f, 0x92, 0x94, 0x95, 0x9f, 0xaf, 0xb6, 0xb7, 0xbe, 0xbf, 0xc1].map((opcode) => [
    0x0f,
    opcode,
  ]),
  [0x0f, 0xbc],
  [0x0f, 0xbd],
];
/** The same for XMM registers; a mandatory prefix first. */
const VECTOR: readonly (readonly number[])[] = [
  [0x0f, 0x10],
  [0x0f, 0x11],
  [0x0f, 0x57],
  [0x66, 0x0f, 0x6f],
  [0x66, 0x0f, 0x7f],
  [0x66, 0x0f, 0xef],
  [0x66, 0x0f, 0xd4],
  [0x66, 0x0f, 0x74],
  [0xf2, 0x0f, 0x10],
  [0xf2, 0x0f, 0x58],
  [0xf3, 0x0f, 0x6f],
];
/** Whole instructions, and short sequences that leave the stack as it was. */
const WHOLE: readonly (readonly number[])[] = [
  [0x50, 0x53, 0x5b, 0x58],
  [0x41, 0x50, 0x41, 0x58],
  [0x9c, 0x9d],
  [0x48, 0x98],
  [0x48, 0x99],
  [0x48, 0x0f, 0xc8],
  [0x0f, 0x31],
  [0xf3, 0x90],
  [0xfc],
  // MOV ECX, 16; LEA RDI, [R15 + 0x100]; REP STOSQ
  [0xb9, 16, 0, 0, 0, 0x49, 0x8d, 0xbf, 0, 1, 0, 0, 0xf3, 0x48, 0xab],
  // MOV ECX, 8; LEA RSI, [R15]; LEA RDI, [R15 + 0x200]; REP MOVSQ
  [0xb9, 8, 0, 0, 0, 0x49, 0x8d, 0x77, 0, 0x49, 0x8d, 0xbf, 0, 2, 0, 0, 0xf3, 0x48, 0xa5],
  // LOCK CMPXCHG [R15 + 8], RCX
  [0xf0, 0x49, 0x0f, 0xb1, 0x4f, 8],
  // MOV DX, COM1's line status; IN AL, DX
  [0x66, 0xba, 0xfd, 0x03, 0xec],
  // IN AL, the PIC's mask; OUT, the same back
  [0xe4, 0x21, 0xe6, 0x21],
  // MOV EBX, 7; XOR EDX, EDX; DIV RBX
  [0xbb, 7, 0, 0, 0, 0x31, 0xd2, 0x48, 0xf7, 0xf3],
];

/** A bzImage. */
export function rehearsalKernel(): Uint8Array<ArrayBuffer> {
  const code = program();
  const image = new Uint8Array(2 * SECTOR + ENTRY_64 + code.length);
  const view = new DataView(image.buffer);
  image[SETUP.SETUP_SECTORS] = 1;
  view.setUint16(SETUP.BOOT_FLAG, 0xaa55, true);
  image[SETUP.JUMP_LENGTH] = 0x66;
  view.setUint32(SETUP.MAGIC, 0x53726448, true);
  view.setUint16(SETUP.VERSION, 0x020f, true);
  image[SETUP.LOAD_FLAGS] = 1;
  view.setUint16(SETUP.X_LOAD_FLAGS, 1, true);
  view.setUint32(SETUP.COMMAND_LINE_MAX, 255, true);
  view.setBigUint64(SETUP.PREFERRED_ADDRESS, BigInt(LOAD_ADDRESS), true);
  image.set(code, 2 * SECTOR + ENTRY_64);
  return image;
}

/** CR4.OSFXSR and OSXMMEXCPT, a stack, R15; then calls of all functions, for ever. */
function program(): Uint8Array {
  const random = generator();
  const bytes = [0x0f, 0x20, 0xe0, 0x0d, 0x00, 0x06, 0x00, 0x00, 0x0f, 0x22, 0xe0];
  bytes.push(0xbc, ...int32(STACK_ADDRESS), 0x41, 0xbf, ...int32(SCRATCH_ADDRESS));
  const loop = bytes.length;
  const callsEnd = loop + FUNCTIONS * 5;
  const bodies: number[] = [];
  for (let index = 0; index < FUNCTIONS; index++) {
    const target = callsEnd + 5 + bodies.length;
    bytes.push(0xe8, ...int32(target - (loop + (index + 1) * 5)));
    bodies.push(...body(random));
  }
  bytes.push(0xe9, ...int32(loop - (callsEnd + 5)));
  return Uint8Array.from([...bytes, ...bodies]);
}

function body(random: (below: number) => number): number[] {
  const bytes: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const piece = instruction(random);
    // Jcc over some of them: blocks are short in real code.
    if (random(3) === 0) bytes.push(0x70 + random(16), piece.length);
    bytes.push(...piece);
  }
  return [...bytes, 0xc3];
}

function instruction(random: (below: number) => number): readonly number[] {
  switch (random(8)) {
    case 0:
      return pick(WHOLE, random);
    case 1: {
      const opcode = pick(VECTOR, random);
      const prefix = opcode[0] === 0x0f ? [] : opcode.slice(0, 1);
      return [...prefix, 0x41, ...opcode.slice(prefix.length), ...operand(random, random(8))];
    }
    // ADD to CMP, shifts, NOT and NEG, INC and DEC
    case 2:
      return [0x49, 0x83, ...operand(random, random(8)), random(256)];
    case 3:
      return [0x49, 0xc1, ...operand(random, pick([4, 5, 7], random)), random(64)];
    case 4:
      return [0x41, 0xf7, ...operand(random, pick([2, 3], random))];
    default:
      return [
        pick([0x41, 0x49], random),
        ...pick(TWO_OPERANDS, random),
        ...operand(random, pick([0, 1, 2, 3, 6], random)),
      ];
  }
}

/** ModRM with memory at R15, aligned for XMM registers, or a register that is none of RSP, RBP, R12 to R15 (REX.B is set). */
function operand(random: (below: number) => number, reg: number): number[] {
  if (random(2) === 0) return [0xc0 | (reg << 3) | random(4)];
  return random(2) === 0 ? [0x47 | (reg << 3), random(16) * 16] : [0x87 | (reg << 3), ...int32(random(256) * 16)];
}

function pick<T>(of: readonly T[], random: (below: number) => number): T {
  return of[random(of.length)] as T;
}

function int32(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}

/** xorshift32: the same program every time. */
function generator(): (below: number) => number {
  let state = XORSHIFT_SEED;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
