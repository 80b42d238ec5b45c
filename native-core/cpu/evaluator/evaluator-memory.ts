// Linear memory of the evaluator: the reference page walk over plain bytes, no TLB.
import { CR0, RFLAGS, VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { CpuException, type LinearMemory } from "../context.ts";
import type { CpuState } from "../cpu-state.ts";
import { ACCESS, MMIO_HOLE, PAGE_SIZE } from "../mmu/memory-layout.ts";
import { fromBytes, type HostMemory, toBytes } from "./evaluate-fragment.ts";
import { type PhysicalMemory, referenceWalk } from "./reference-walk.ts";

/** Accesses outside RAM, of 1, 2 or 4 bytes. */
export interface EvaluatorDevices {
  readMmio(address: number, size: 1 | 2 | 4): number;
  writeMmio(address: number, size: 1 | 2 | 4, value: number): void;
}

const NO_DEVICES: EvaluatorDevices = { readMmio: () => 0xffff_ffff, writeMmio: () => {} };
const CODE_BYTES = 32;

export class EvaluatorMemory implements LinearMemory, HostMemory, PhysicalMemory {
  readonly bytes: Uint8Array;
  readonly #state: CpuState;
  readonly #devices: EvaluatorDevices;

  constructor(state: CpuState, ramBytes: number, devices: EvaluatorDevices = NO_DEVICES) {
    this.bytes = new Uint8Array(ramBytes);
    this.#state = state;
    this.#devices = devices;
  }

  // --- PhysicalMemory ---------------------------------------------------------------------------------------------------------

  readEntry(address: bigint, bytes: 4 | 8): bigint {
    return this.#isRam(address) ? fromBytes(this.bytes.subarray(Number(address), Number(address) + bytes)) : 0n;
  }

  setEntryBits(address: bigint, bits: number): void {
    if (this.#isRam(address)) this.bytes[Number(address)] = (this.bytes[Number(address)] ?? 0) | bits;
  }

  #isRam(physical: bigint): boolean {
    if (physical >= BigInt(this.bytes.length)) return false;
    return physical < BigInt(MMIO_HOLE.start) || physical >= BigInt(MMIO_HOLE.end);
  }

  // --- LinearMemory -----------------------------------------------------------------------------------------------------------

  read(address: bigint, size: 1 | 2 | 4 | 8, supervisor = false): bigint {
    const first = this.#physical(address, this.#user(supervisor));
    if (!supervisor) this.#checkAlignment(address, size);
    if (!crosses(address, size)) return this.#readPhysical(first, size);
    const bytes: number[] = [];
    for (let n = 0; n < size; n++) {
      const physical = this.#physical(BigInt.asUintN(64, address + BigInt(n)), this.#user(supervisor));
      bytes.push(Number(this.#readPhysical(physical, 1)));
    }
    return fromBytes(Uint8Array.from(bytes));
  }

  write(address: bigint, size: 1 | 2 | 4 | 8, value: bigint, supervisor = false): void {
    const access = this.#user(supervisor) | ACCESS.write;
    const first = this.#physical(address, access);
    if (!supervisor) this.#checkAlignment(address, size);
    if (!crosses(address, size)) return this.#writePhysical(first, size, value);
    this.#physical(secondPage(address, size), access);
    for (let n = 0; n < size; n++) {
      const physical = this.#physical(BigInt.asUintN(64, address + BigInt(n)), access);
      this.#writePhysical(physical, 1, (value >> BigInt(n * 8)) & 0xffn);
    }
  }

  readBytes(address: bigint, target: Uint8Array, supervisor = false): void {
    for (let n = 0; n < target.length; n++) target[n] = Number(this.read(address + BigInt(n), 1, supervisor));
  }

  writeBytes(address: bigint, source: Uint8Array, supervisor = false): void {
    const access = this.#user(supervisor) | ACCESS.write;
    this.#physical(address, access);
    if (crosses(address, source.length)) this.#physical(secondPage(address, source.length), access);
    source.forEach((byte, n) => {
      this.write(address + BigInt(n), 1, BigInt(byte), supervisor);
    });
  }

  flush(): void {}

  invalidatePage(): void {}

  // --- HostMemory -------------------------------------------------------------------------------------------------------------

  translate(linear: bigint, write: boolean): number {
    const physical = this.#physical(BigInt.asUintN(64, linear), this.#user(false) | (write ? ACCESS.write : 0));
    return this.#isRam(physical) ? Number(physical) : -1;
  }

  /** Code from an offset in CS to the end of its page or of the segment. Throws where fetching faults. */
  fetchCode(offset: bigint): Uint8Array {
    const long = this.#state.getNumber(STATE.codeMode) === 8;
    const limit = this.#state.segment("cs", "limit");
    if (!long && offset > limit) throw new CpuException(VECTOR.GP, 0);
    const linear = long ? offset : BigInt.asUintN(32, this.#state.segment("cs", "base") + offset);
    const physical = this.#physical(linear, this.#user(false) | ACCESS.fetch);
    let length = PAGE_SIZE - Number(linear & 0xfffn);
    if (!long && BigInt(length) > limit - offset + 1n) length = Number(limit - offset) + 1;
    if (this.#isRam(physical)) return this.bytes.subarray(Number(physical), Number(physical) + length);
    return Uint8Array.from({ length: Math.min(length, CODE_BYTES) }, (_, n) =>
      Number(this.#readPhysical(physical + BigInt(n), 1)),
    );
  }

  // ----------------------------------------------------------------------------------------------------------------------------

  #user(supervisor: boolean): number {
    return !supervisor && this.#state.getNumber(STATE.cpl) === 3 ? ACCESS.user : 0;
  }

  #checkAlignment(address: bigint, size: number): void {
    const state = this.#state;
    const isOn = state.getNumber(STATE.systemFlags) & RFLAGS.AC && state.getNumber(STATE.cr0) & CR0.AM;
    if (isOn && state.getNumber(STATE.cpl) === 3 && address & BigInt(size - 1)) throw new CpuException(VECTOR.AC, 0);
  }

  #physical(linear: bigint, access: number): bigint {
    return referenceWalk(this.#state, this, BigInt.asUintN(64, linear), access);
  }

  #readPhysical(physical: bigint, size: 1 | 2 | 4 | 8): bigint {
    const at = Number(physical);
    if (this.#isRam(physical)) return fromBytes(this.bytes.subarray(at, at + size));
    if (size === 8) return this.#readPhysical(physical, 4) | (this.#readPhysical(physical + 4n, 4) << 32n);
    return BigInt.asUintN(size * 8, BigInt(this.#devices.readMmio(at, size)));
  }

  #writePhysical(physical: bigint, size: 1 | 2 | 4 | 8, value: bigint): void {
    const at = Number(physical);
    if (this.#isRam(physical)) this.bytes.set(toBytes(value, size), at);
    else if (size === 8) {
      this.#writePhysical(physical, 4, value & 0xffff_ffffn);
      this.#writePhysical(physical + 4n, 4, value >> 32n);
    } else this.#devices.writeMmio(at, size, Number(BigInt.asUintN(size * 8, value)));
  }
}

function crosses(address: bigint, size: number): boolean {
  return (address & 0xfffn) + BigInt(size) > BigInt(PAGE_SIZE);
}

/** Start of the page that holds the last byte: what a fault there reports. */
function secondPage(address: bigint, size: number): bigint {
  return BigInt.asUintN(64, (address + BigInt(size - 1)) & ~0xfffn);
}
