// Gathers, element by element (x86/semantics/gather.ts).
import { STATE } from "../../x86/state-layout.ts";
import type { CpuContext, Helper } from "../context.ts";
import type { CpuState } from "../cpu-state.ts";
import { checkSegmentAccess } from "./segment-load.ts";

const FS = 4;

/** All 256 bits. */
function readWide(state: CpuState, register: number): bigint {
  return state.vector(register) | (state.vectorUpper(register) << 128n);
}

function writeWide(state: CpuState, register: number, value: bigint): void {
  state.setVector(register, BigInt.asUintN(128, value));
  state.setVectorUpper(register, value >> 128n);
}

/** Linear address of an element in a segment; -1 stands for none. */
function linearAddress(cpu: CpuContext, segment: number, offset: bigint, bytes: number): bigint {
  if (segment < 0) return offset;
  const base = cpu.state.segment(segment, "base");
  if (cpu.state.getNumber(STATE.codeMode) === 8) return BigInt.asUintN(64, segment >= FS ? base + offset : offset);
  checkSegmentAccess(cpu, BigInt(segment), offset, BigInt(bytes), 0n);
  return BigInt.asUintN(32, base + offset);
}

/**
 * (address, scale, segment, registers, shape). `registers`: destination, mask and index, a byte each. `shape`: bytes of an index and, 4 bits
 * up, of an element; 8 bits up the number of elements, 16 bits up the address size.
 */
const gather: Helper = (cpu, address = 0n, scale = 0n, segmentValue = 0n, registers = 0n, shape = 0n) => {
  const { state, memory } = cpu;
  const [destination, mask, index] = [0n, 8n, 16n].map((shift) => Number((registers >> shift) & 0xffn));
  const indexBits = Number(shape & 15n) * 8;
  const bytes = Number((shape >> 4n) & 15n) as 4 | 8;
  const bits = bytes * 8;
  const count = Number((shape >> 8n) & 0xffn);
  const addressBits = Number(shape >> 16n) * 8;
  const segment = Number(BigInt.asIntN(64, segmentValue));
  const indices = readWide(state, index ?? 0);
  const ones = (1n << BigInt(bits)) - 1n;

  let result = readWide(state, destination ?? 0);
  let pending = readWide(state, mask ?? 0);
  try {
    for (let n = 0; n < count; n++) {
      const shift = BigInt(n * bits);
      if ((pending >> (shift + BigInt(bits - 1))) & 1n) {
        const offset = BigInt.asIntN(indexBits, indices >> BigInt(n * indexBits)) << scale;
        const linear = linearAddress(cpu, segment, BigInt.asUintN(addressBits, address + offset), bytes);
        result = (result & ~(ones << shift)) | (memory.read(linear, bytes) << shift);
      }
      pending &= ~(ones << shift);
    }
    result = BigInt.asUintN(count * bits, result);
    pending = 0n;
  } finally {
    writeWide(state, destination ?? 0, result);
    writeWide(state, mask ?? 0, pending);
  }
  return 0n;
};

export const GATHER_HELPERS: Record<string, Helper> = { gather };
