// Guest memory for everything but the vCPU: devices (DMA), firmware, saved states, the debugger. RAM starts at guest physical 0; video
// memory lies behind it in the same Wasm memory. Every write marks pages dirty and voids code translated from them.
import { assert } from "../common/assert.ts";
import { MMIO_HOLE, PAGE_BYTES, PAGE_FLAG } from "./page-flags.ts";

export { PAGE_BYTES } from "./page-flags.ts";

export interface GuestRamParts {
  /** RAM, then video memory. */
  readonly bytes: Uint8Array;
  readonly ramBytes: number;
  readonly vramBytes: number;
  /** One byte per page of RAM and video memory. */
  readonly flags: Uint8Array;
  /** Translated code in `length` bytes at a host address is about to change. */
  readonly voidCode: (address: number, length: number) => void;
  /** Cached write rights must be dropped. */
  readonly flagsChanged: () => void;
}

export class GuestRam {
  /** Bytes of RAM. */
  readonly sizeBytes: number;
  readonly vramBytes: number;
  readonly flags: Uint8Array;
  /** Pages of RAM and video memory. */
  readonly count: number;
  /** First touch of a page that is missing: must fill it and clear the flag. */
  onMissing: (page: number) => void = (page) => assert(false, `page ${page} is missing and nobody brings it`);
  /** First write to a page that is protected: must keep what it holds and clear the flag. */
  onProtected: (page: number) => void = (page) => {
    this.flags[page] = (this.flags[page] ?? 0) & ~PAGE_FLAG.protected;
  };
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #voidCode: GuestRamParts["voidCode"];
  readonly #flagsChanged: () => void;
  /** All locked pages lie between these, which saves writes to other pages the search. */
  #locked = { start: 0, end: 0 };

  constructor(parts: GuestRamParts) {
    this.sizeBytes = parts.ramBytes;
    this.vramBytes = parts.vramBytes;
    this.count = (parts.ramBytes + parts.vramBytes) / PAGE_BYTES;
    this.flags = parts.flags;
    // The memory is made in its full size and never grows, so the views stay valid.
    this.#bytes = parts.bytes;
    this.#view = new DataView(parts.bytes.buffer, parts.bytes.byteOffset, parts.bytes.byteLength);
    this.#voidCode = parts.voidCode;
    this.#flagsChanged = parts.flagsChanged;
  }

  /** All bytes: RAM, then video memory. A write through it must go with `prepareWrite`. */
  bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Video memory as the display reads it. */
  get vram(): Uint8Array {
    return this.#bytes.subarray(this.sizeBytes, this.sizeBytes + this.vramBytes);
  }

  /** To be called after `dirty` was cleared or `protected` or `missing` was set. */
  flagsChanged(): void {
    this.#flagsChanged();
  }

  read(address: number, target: Uint8Array): void {
    if (this.#isPlain(address, target.length)) {
      this.prepareRead(address, target.length);
      target.set(this.#bytes.subarray(address, address + target.length));
      return;
    }
    for (const [start, length, ram] of this.#runs(address, target.length)) {
      const part = target.subarray(start - address, start - address + length);
      if (!ram) {
        part.fill(0xff);
        continue;
      }
      this.prepareRead(start, length);
      part.set(this.#bytes.subarray(start, start + length));
    }
  }

  write(address: number, source: Uint8Array): void {
    if (this.#isWritable(address, source.length)) {
      this.prepareWrite(address, source.length);
      this.#bytes.set(source, address);
      return;
    }
    for (const [start, length, ram] of this.#runs(address, source.length)) {
      if (ram) this.#writeUnlocked(start, source.subarray(start - address, start - address + length));
    }
  }

  /** Locks or unlocks whole pages of RAM against writes, by the vCPU or devices. */
  setReadOnly(address: number, length: number, readOnly: boolean): void {
    const { start, end } = this.#locked;
    if (readOnly) {
      this.#locked =
        start === end
          ? { start: address, end: address + length }
          : { start: Math.min(start, address), end: Math.max(end, address + length) };
    }
    for (let page = address / PAGE_BYTES; page < (address + length) / PAGE_BYTES; page++) {
      const flags = this.flags[page] ?? 0;
      this.flags[page] = readOnly ? flags | PAGE_FLAG.readOnly : flags & ~PAGE_FLAG.readOnly;
    }
    this.#flagsChanged();
  }

  lend(address: number, length: number, toWrite: boolean): Uint8Array | undefined {
    if (!(toWrite ? this.#isWritable(address, length) : this.#isPlain(address, length))) return undefined;
    if (toWrite) this.prepareWrite(address, length);
    else this.prepareRead(address, length);
    return this.#bytes.subarray(address, address + length);
  }

  written(address: number, length: number): void {
    this.prepareWrite(address, length);
  }

  readU16(address: number): number {
    if (!this.#isPlain(address, 2)) return Number(this.#readSlow(address, 2));
    this.prepareRead(address, 2);
    return this.#view.getUint16(address, true);
  }

  readU32(address: number): number {
    if (!this.#isPlain(address, 4)) return Number(this.#readSlow(address, 4));
    this.prepareRead(address, 4);
    return this.#view.getUint32(address, true);
  }

  readU64(address: number): bigint {
    if (!this.#isPlain(address, 8)) return this.#readSlow(address, 8);
    this.prepareRead(address, 8);
    return this.#view.getBigUint64(address, true);
  }

  writeU16(address: number, value: number): void {
    if (!this.#isWritable(address, 2)) return this.#writeSlow(address, 2, BigInt(value));
    this.prepareWrite(address, 2);
    this.#view.setUint16(address, value, true);
  }

  writeU32(address: number, value: number): void {
    if (!this.#isWritable(address, 4)) return this.#writeSlow(address, 4, BigInt(value));
    this.prepareWrite(address, 4);
    this.#view.setUint32(address, value, true);
  }

  writeU64(address: number, value: bigint): void {
    if (!this.#isWritable(address, 8)) return this.#writeSlow(address, 8, value);
    this.prepareWrite(address, 8);
    this.#view.setBigUint64(address, value, true);
  }

  /** Brings missing pages of a host address range. */
  prepareRead(address: number, length: number): void {
    const last = Math.floor((address + length - 1) / PAGE_BYTES);
    for (let page = Math.floor(address / PAGE_BYTES); page <= last; page++) {
      if ((this.flags[page] ?? 0) & PAGE_FLAG.missing) this.onMissing(page);
    }
  }

  /** To be called before bytes of a host address range change. */
  prepareWrite(address: number, length: number): void {
    const end = address + length;
    for (let start = address; start < end; ) {
      const page = Math.floor(start / PAGE_BYTES);
      const next = Math.min(end, (page + 1) * PAGE_BYTES);
      const flags = this.flags[page] ?? 0;
      if (flags !== PAGE_FLAG.dirty) {
        if (flags & PAGE_FLAG.missing) this.onMissing(page);
        if (flags & PAGE_FLAG.protected) this.onProtected(page);
        if (flags & PAGE_FLAG.code) this.#voidCode(start, next - start);
        this.flags[page] = (this.flags[page] ?? 0) | PAGE_FLAG.dirty;
      }
      start = next;
    }
  }

  /** Pages written since their flag was last cleared. */
  *dirtyPages(): Generator<number> {
    for (let page = 0; page < this.count; page++) if ((this.flags[page] ?? 0) & PAGE_FLAG.dirty) yield page;
  }

  clearDirty(): void {
    for (let page = 0; page < this.count; page++) this.flags[page] = (this.flags[page] ?? 0) & ~PAGE_FLAG.dirty;
    this.#flagsChanged();
  }

  /** Whether all bytes are RAM. */
  #isPlain(address: number, length: number): boolean {
    return (
      address >= 0 &&
      address + length <= this.sizeBytes &&
      (address + length <= MMIO_HOLE.start || address >= MMIO_HOLE.end)
    );
  }

  /** Whether all bytes are RAM that nobody has locked. */
  #isWritable(address: number, length: number): boolean {
    if (!this.#isPlain(address, length)) return false;
    const { start, end } = this.#locked;
    if (address >= end || address + length <= start) return true;
    for (let page = Math.floor(address / PAGE_BYTES); page * PAGE_BYTES < address + length; page++) {
      if ((this.flags[page] ?? 0) & PAGE_FLAG.readOnly) return false;
    }
    return true;
  }

  /** Writes into RAM what of it is not locked. */
  #writeUnlocked(address: number, source: Uint8Array): void {
    for (let done = 0; done < source.length; ) {
      const start = address + done;
      const length = Math.min(source.length - done, PAGE_BYTES - (start % PAGE_BYTES));
      if (this.#isWritable(start, length)) {
        this.prepareWrite(start, length);
        this.#bytes.set(source.subarray(done, done + length), start);
      }
      done += length;
    }
  }

  /** Splits a range where RAM begins and ends. */
  *#runs(address: number, length: number): Generator<[start: number, length: number, ram: boolean]> {
    const end = address + length;
    const bounds = [MMIO_HOLE.start, MMIO_HOLE.end, this.sizeBytes, end].sort((a, b) => a - b);
    let start = address;
    for (const bound of bounds) {
      if (bound <= start) continue;
      const stop = Math.min(bound, end);
      if (stop <= start) break;
      yield [start, stop - start, this.#isPlain(start, stop - start)];
      start = stop;
    }
  }

  #readSlow(address: number, size: number): bigint {
    const bytes = new Uint8Array(8);
    this.read(address, bytes.subarray(0, size));
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  #writeSlow(address: number, size: number, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    this.write(address, bytes.subarray(0, size));
  }
}
