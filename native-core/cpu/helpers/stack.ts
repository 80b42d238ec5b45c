// A stack as helpers use it: values go to memory at once, RSP is written only when everything has succeeded.
import { VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException } from "../context.ts";
import { ATTRIBUTE, type Descriptor } from "./descriptor.ts";
import { is64BitCode, isCanonical } from "./mode.ts";
import { isInSegment, SS } from "./segment-load.ts";

const RSP = 4;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** Room for the largest frame. */
const FRAME_BYTES = new Uint8Array(64);
const FRAME = new DataView(FRAME_BYTES.buffer);

type StackSegment = Pick<Descriptor, "base" | "limit" | "attributes">;

export interface StackAccess {
  /** With the rights of CPL 0 to 2, whatever the current level is. */
  readonly supervisor?: boolean;
  /** Of the #SS that an access beyond the segment's limits raises. */
  readonly errorCode?: number;
}

export class StackCursor {
  pointer: bigint;
  readonly #cpu: CpuContext;
  /** Undefined: a flat stack of 64 bits. */
  readonly #segment: StackSegment | undefined;
  readonly #mask: bigint;
  readonly #supervisor: boolean;
  readonly #errorCode: number;

  private constructor(
    cpu: CpuContext,
    pointer: bigint,
    segment: StackSegment | undefined,
    mask: bigint,
    { supervisor = false, errorCode = 0 }: StackAccess = {},
  ) {
    this.#cpu = cpu;
    this.pointer = pointer;
    this.#segment = segment;
    this.#mask = mask;
    this.#supervisor = supervisor;
    this.#errorCode = errorCode;
  }

  /** The stack that is in use. */
  static current(cpu: CpuContext, access?: StackAccess): StackCursor {
    const { state } = cpu;
    const rsp = state.general(RSP);
    if (is64BitCode(cpu)) return new StackCursor(cpu, rsp, undefined, ALL_ONES, access);
    const segment: StackSegment = {
      base: state.segment(SS, "base"),
      limit: state.segmentNumber(SS, "limit"),
      attributes: state.segmentNumber(SS, "attributes"),
    };
    return new StackCursor(cpu, rsp, segment, state.get(STATE.stackMask), access);
  }

  /** A 64-bit stack at another privilege level. */
  static flat(cpu: CpuContext, pointer: bigint, supervisor: boolean): StackCursor {
    return new StackCursor(cpu, pointer, undefined, ALL_ONES, { supervisor });
  }

  /** A stack of another privilege level outside long mode. */
  static other(cpu: CpuContext, pointer: bigint, segment: StackSegment, access: StackAccess): StackCursor {
    return new StackCursor(cpu, pointer, segment, stackMaskOf(segment.attributes), access);
  }

  push(size: 2 | 4 | 8, value: bigint): void {
    const pointer = this.pointer - BigInt(size);
    this.#cpu.memory.write(this.#address(pointer, size), size, BigInt.asUintN(size * 8, value), this.#supervisor);
    this.pointer = pointer;
  }

  pop(size: 2 | 4 | 8): bigint {
    const value = this.#cpu.memory.read(this.#address(this.pointer, size), size, this.#supervisor);
    this.pointer += BigInt(size);
    return value;
  }

  /** Several values at once, the one at the top first; those of a flat 8-byte stack in one access. */
  popFrame(size: 2 | 4 | 8, count: number): readonly bigint[] {
    if (size !== 8 || this.#mask !== ALL_ONES) return Array.from({ length: count }, () => this.pop(size));
    this.#cpu.memory.readBytes(this.#address(this.pointer, size), FRAME_BYTES.subarray(0, count * 8), this.#supervisor);
    this.pointer += BigInt(count * 8);
    return Array.from({ length: count }, (_, n) => FRAME.getBigUint64(n * 8, true));
  }

  /** Several values at once, so that the last one ends up at the top. */
  pushFrame(size: 2 | 4 | 8, values: readonly bigint[]): void {
    if (size !== 8 || this.#mask !== ALL_ONES) {
      for (const value of values) this.push(size, value);
      return;
    }
    const bytes = values.length * 8;
    values.forEach((value, n) => {
      FRAME.setBigUint64(bytes - 8 - n * 8, value, true);
    });
    const pointer = this.pointer - BigInt(bytes);
    this.#cpu.memory.writeBytes(this.#address(pointer, size), FRAME_BYTES.subarray(0, bytes), this.#supervisor);
    this.pointer = pointer;
  }

  /** Faults as a write at the pointer would. */
  probe(size: 2 | 4 | 8): void {
    const address = this.#address(this.pointer, size);
    const value = this.#cpu.memory.read(address, size, this.#supervisor);
    this.#cpu.memory.write(address, size, value, this.#supervisor);
  }

  #address(pointer: bigint, size: number): bigint {
    if (this.#segment === undefined) {
      if (!isCanonical(pointer)) throw new CpuException(VECTOR.SS, 0);
      return BigInt.asUintN(64, pointer);
    }
    const offset = pointer & this.#mask;
    if (!isInSegment(this.#segment, offset, size)) throw new CpuException(VECTOR.SS, this.#errorCode);
    return BigInt.asUintN(32, this.#segment.base + offset);
  }

  /** What RSP becomes with the pointer where it is: the bits that the stack does not use stay. */
  get register(): bigint {
    const old = this.#cpu.state.general(RSP);
    return (old & ~this.#mask) | (this.pointer & this.#mask);
  }

  commit(): void {
    this.#cpu.state.setGeneral(RSP, this.register);
  }
}

/** Mask of the stack pointer for a stack segment outside 64-bit mode. */
export function stackMaskOf(attributes: number): bigint {
  return attributes & ATTRIBUTE.BIG ? 0xffff_ffffn : 0xffffn;
}
