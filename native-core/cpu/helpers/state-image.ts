// The layout that FXSAVE and the XSAVE family share (SDM 1 10.5.1, 13.4): x87, MXCSR and XMM registers in 512 bytes.
import { STATE } from "../../x86/state-layout.ts";
import type { CpuState } from "../cpu-state.ts";
import { X87 } from "./x87-state.ts";

export const MXCSR_MASK = 0xffff;
export const LEGACY_IMAGE_SIZE = 512;
/** Control words and pointers end, MXCSR and its mask begin, x87 registers begin, XMM registers begin. */
export const IMAGE_OFFSET = { mxcsr: 24, x87Registers: 32, vectors: 160 } as const;

const viewOf = (image: Uint8Array): DataView => new DataView(image.buffer, image.byteOffset, image.byteLength);

/** `wide`: pointers of 64 bits (REX.W) instead of offset and selector. */
export function saveX87(state: CpuState, image: Uint8Array, wide: boolean): void {
  const view = viewOf(image);
  const x87 = new X87(state);
  view.setUint16(0, x87.control, true);
  view.setUint16(2, x87.status, true);
  view.setUint8(4, x87.abridgedTag);
  view.setUint16(6, state.getNumber(STATE.x87Opcode), true);
  if (wide) {
    view.setBigUint64(8, state.get(STATE.x87Ip), true);
    view.setBigUint64(16, state.get(STATE.x87Dp), true);
  } else {
    view.setUint32(8, Number(state.get(STATE.x87Ip) & 0xffff_ffffn), true);
    view.setUint32(16, Number(state.get(STATE.x87Dp) & 0xffff_ffffn), true);
  }
  for (let n = 0; n < 8; n++) image.set(tenBytes(x87.read(n)), IMAGE_OFFSET.x87Registers + n * 16);
}

export function restoreX87(state: CpuState, image: Uint8Array, wide: boolean): void {
  const view = viewOf(image);
  const x87 = new X87(state);
  x87.control = view.getUint16(0, true);
  x87.status = view.getUint16(2, true);
  x87.abridgedTag = view.getUint8(4);
  state.setNumber(STATE.x87Opcode, view.getUint16(6, true) & 0x7ff);
  state.set(STATE.x87Ip, wide ? view.getBigUint64(8, true) : BigInt(view.getUint32(8, true)));
  state.set(STATE.x87Dp, wide ? view.getBigUint64(16, true) : BigInt(view.getUint32(16, true)));
  for (let n = 0; n < 8; n++) {
    x87.writePhysical((x87.top + n) & 7, fromTenBytes(image, IMAGE_OFFSET.x87Registers + n * 16));
  }
}

export function saveMxcsr(state: CpuState, image: Uint8Array): void {
  const view = viewOf(image);
  view.setUint32(IMAGE_OFFSET.mxcsr, state.getNumber(STATE.mxcsr), true);
  view.setUint32(IMAGE_OFFSET.mxcsr + 4, MXCSR_MASK, true);
}

/** The MXCSR of an image; undefined if it has reserved bits set. */
export function mxcsrOf(image: Uint8Array): number | undefined {
  const mxcsr = viewOf(image).getUint32(IMAGE_OFFSET.mxcsr, true);
  return mxcsr & ~MXCSR_MASK ? undefined : mxcsr;
}

/** Lower or upper halves of the first `count` vector registers, from `offset` of the image. */
export function saveVectors(state: CpuState, image: Uint8Array, offset: number, count: number, upper = false): void {
  const view = viewOf(image);
  for (let n = 0; n < count; n++) {
    const value = upper ? state.vectorUpper(n) : state.vector(n);
    view.setBigUint64(offset + n * 16, BigInt.asUintN(64, value), true);
    view.setBigUint64(offset + n * 16 + 8, value >> 64n, true);
  }
}

export function restoreVectors(state: CpuState, image: Uint8Array, offset: number, count: number, upper = false): void {
  const view = viewOf(image);
  for (let n = 0; n < count; n++) {
    const at = offset + n * 16;
    const value = view.getBigUint64(at, true) | (view.getBigUint64(at + 8, true) << 64n);
    if (upper) state.setVectorUpper(n, value);
    else state.setVector(n, value);
  }
}

export function tenBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt.asUintN(64, value), true);
  view.setUint16(8, Number(value >> 64n), true);
  return bytes;
}

export function fromTenBytes(image: Uint8Array, offset: number): bigint {
  const view = viewOf(image);
  return view.getBigUint64(offset, true) | (BigInt(view.getUint16(offset + 8, true)) << 64n);
}
