// The layout that FXSAVE and the XSAVE family share (SDM 1 10.5.1, 13.4): x87, MXCSR and XMM registers in 512 bytes.
import type { StateSlot } from "../../ir/nodes.ts";
import { STATE, VECTOR_OFFSET, VECTOR_STRIDE, X87_OFFSET, X87_STRIDE } from "../../x86/state-layout.ts";
import type { CpuState } from "../cpu-state.ts";
import { X87 } from "./x87-state.ts";

export const MXCSR_MASK = 0xffff;
export const LEGACY_IMAGE_SIZE = 512;
/** Control words and pointers end, MXCSR and its mask begin, x87 registers begin, XMM registers begin. */
export const IMAGE_OFFSET = { mxcsr: 24, x87Registers: 32, vectors: 160 } as const;

/** An image as 32-bit words, which is how registers are moved: it is done at every change of process, and bigints take longer. */
export const wordsOf = (image: Uint8Array): Int32Array =>
  new Int32Array(image.buffer, image.byteOffset, image.byteLength >> 2);

const word = (words: Int32Array, at: number): number => words[at] as number;
const wordOf = ({ offset }: StateSlot): number => offset >> 2;

/** Word of physical x87 register n in the state: significand in two, sign and exponent in the third. */
const x87Word = (n: number): number => (X87_OFFSET + n * X87_STRIDE) >> 2;
const EXPONENT = 0xffff;

/** `wide`: pointers of 64 bits (REX.W) instead of offset and selector. */
export function saveX87(state: CpuState, image: Uint8Array, wide: boolean): void {
  const { words } = state;
  const target = wordsOf(image);
  const x87 = new X87(state);
  target[0] = x87.control | (x87.status << 16);
  target[1] = x87.abridgedTag | (state.getNumber(STATE.x87Opcode) << 16);
  const [ip, dp] = [wordOf(STATE.x87Ip), wordOf(STATE.x87Dp)];
  target[2] = word(words, ip);
  target[3] = wide ? word(words, ip + 1) : 0;
  target[4] = word(words, dp);
  target[5] = wide ? word(words, dp + 1) : 0;
  for (let n = 0; n < 8; n++) {
    const from = x87Word((x87.top + n) & 7);
    const to = (IMAGE_OFFSET.x87Registers >> 2) + n * 4;
    target[to] = word(words, from);
    target[to + 1] = word(words, from + 1);
    target[to + 2] = word(words, from + 2) & EXPONENT;
    target[to + 3] = 0;
  }
}

export function restoreX87(state: CpuState, image: Uint8Array, wide: boolean): void {
  const { words } = state;
  const source = wordsOf(image);
  const x87 = new X87(state);
  x87.control = word(source, 0) & 0xffff;
  x87.status = word(source, 0) >>> 16;
  x87.abridgedTag = word(source, 1) & 0xff;
  state.setNumber(STATE.x87Opcode, (word(source, 1) >>> 16) & 0x7ff);
  const [ip, dp] = [wordOf(STATE.x87Ip), wordOf(STATE.x87Dp)];
  words[ip] = word(source, 2);
  words[ip + 1] = wide ? word(source, 3) : 0;
  words[dp] = word(source, 4);
  words[dp + 1] = wide ? word(source, 5) : 0;
  for (let n = 0; n < 8; n++) {
    const from = (IMAGE_OFFSET.x87Registers >> 2) + n * 4;
    const to = x87Word((x87.top + n) & 7);
    words[to] = word(source, from);
    words[to + 1] = word(source, from + 1);
    words[to + 2] = word(source, from + 2) & EXPONENT;
  }
}

export function saveMxcsr(state: CpuState, image: Uint8Array): void {
  const target = wordsOf(image);
  target[IMAGE_OFFSET.mxcsr >> 2] = state.getNumber(STATE.mxcsr);
  target[(IMAGE_OFFSET.mxcsr >> 2) + 1] = MXCSR_MASK;
}

/** The MXCSR of an image; undefined if it has reserved bits set. */
export function mxcsrOf(image: Uint8Array): number | undefined {
  const mxcsr = word(wordsOf(image), IMAGE_OFFSET.mxcsr >> 2);
  return mxcsr & ~MXCSR_MASK ? undefined : mxcsr;
}

/** First word of vector register n, or of its upper half. */
const vectorWord = (n: number, upper: boolean): number => (VECTOR_OFFSET + n * VECTOR_STRIDE + (upper ? 16 : 0)) >> 2;

/** Lower or upper halves of the first `count` vector registers, from `offset` of the image. */
export function saveVectors(state: CpuState, image: Uint8Array, offset: number, count: number, upper = false): void {
  const { words } = state;
  const target = wordsOf(image);
  for (let n = 0, to = offset >> 2; n < count; n++, to += 4) {
    const from = vectorWord(n, upper);
    for (let lane = 0; lane < 4; lane++) target[to + lane] = word(words, from + lane);
  }
}

export function restoreVectors(state: CpuState, image: Uint8Array, offset: number, count: number, upper = false): void {
  const { words } = state;
  const source = wordsOf(image);
  for (let n = 0, from = offset >> 2; n < count; n++, from += 4) {
    const to = vectorWord(n, upper);
    for (let lane = 0; lane < 4; lane++) words[to + lane] = word(source, from + lane);
  }
}

/** Some bit of the lower or upper halves of the first `count` vector registers is set. */
export function vectorsInUse(state: CpuState, count: number, upper: boolean): boolean {
  const { words } = state;
  let all = 0;
  for (let n = 0; n < count; n++) {
    const at = vectorWord(n, upper);
    all |= word(words, at) | word(words, at + 1) | word(words, at + 2) | word(words, at + 3);
  }
  return all !== 0;
}

/** The x87 unit is in another state than FNINIT, with registers cleared, leaves it in. */
export function isX87InUse(state: CpuState): boolean {
  const { words } = state;
  const x87 = new X87(state);
  if (x87.control !== 0x37f || x87.status !== 0 || x87.abridgedTag !== 0) return true;
  const [ip, dp] = [wordOf(STATE.x87Ip), wordOf(STATE.x87Dp)];
  let all = word(words, ip) | word(words, ip + 1) | word(words, dp) | word(words, dp + 1);
  all |= state.getNumber(STATE.x87Opcode);
  for (let n = 0; n < 8; n++) {
    const at = x87Word(n);
    all |= word(words, at) | word(words, at + 1) | (word(words, at + 2) & EXPONENT);
  }
  return all !== 0;
}

export function tenBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt.asUintN(64, value), true);
  view.setUint16(8, Number(value >> 64n), true);
  return bytes;
}

export function fromTenBytes(image: Uint8Array, offset: number): bigint {
  const view = new DataView(image.buffer, image.byteOffset);
  return view.getBigUint64(offset, true) | (BigInt(view.getUint16(offset + 8, true)) << 64n);
}
