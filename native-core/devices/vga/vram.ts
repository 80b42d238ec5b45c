// Video memory. In a machine it is guest memory behind RAM, mapped for the vCPU at the frame buffer's BAR without a call into the
// device; `PlainVram` is the same on the host's heap, for tests and for machines without direct mapping.
import type { AccessSize, IoHandler } from "../device.ts";

export const VRAM_PAGE_BYTES = 4096;

export interface Vram {
  /** Valid until control returns to the caller's event loop: memory may move when it grows. */
  readonly bytes: Uint8Array;
  /** The device wrote these bytes itself. */
  markDirty(offset: number, length: number): void;
  /** Ascending indices of pages that the guest or `markDirty` touched since the last call. */
  takeDirtyPages(): readonly number[];
}

export class PlainVram implements Vram {
  readonly bytes: Uint8Array;
  readonly #dirty: Uint8Array;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
    this.#dirty = new Uint8Array(sizeBytes / VRAM_PAGE_BYTES).fill(1);
  }

  markDirty(offset: number, length: number): void {
    this.#dirty.fill(1, Math.floor(offset / VRAM_PAGE_BYTES), Math.ceil((offset + length) / VRAM_PAGE_BYTES));
  }

  takeDirtyPages(): readonly number[] {
    const pages: number[] = [];
    for (let page = this.#dirty.indexOf(1); page !== -1; page = this.#dirty.indexOf(1, page + 1)) pages.push(page);
    this.#dirty.fill(0);
    return pages;
  }
}

/**
 * The frame buffer BAR as a register handler: the slow way in, used where the BAR is not mapped directly.
 * A machine that maps it directly recognizes this class among the mapped ranges and takes `vram` instead of calling it.
 */
export class VramAperture implements IoHandler {
  readonly vram: Vram;

  constructor(vram: Vram) {
    this.vram = vram;
  }

  read(offset: number, size: AccessSize): number {
    const { bytes } = this.vram;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[offset + i] ?? 0xff);
    return value;
  }

  write(offset: number, size: AccessSize, value: number): void {
    const { bytes } = this.vram;
    for (let i = 0; i < size && offset + i < bytes.length; i++) {
      bytes[offset + i] = value;
      value = Math.floor(value / 256);
    }
    this.vram.markDirty(offset, Math.min(size, bytes.length - offset));
  }
}
