// XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS, XGETBV, XSETBV (SDM 1 chapter 13): x87, SSE and AVX state in one image with a header.
//
//   0 x87, MXCSR, XMM as FXSAVE lays them out    512 XSTATE_BV   520 XCOMP_BV   528 zeros    576 bits 255..128 of the YMM registers
//
// In the compacted format the only extended component stands at the same place, so the two differ in the header alone. There are no
// supervisor components: IA32_XSS is zero, and XSAVES and XRSTORS are XSAVEC and XRSTOR for CPL 0.
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import type { CpuState } from "../cpu-state.ts";
import {
  IMAGE_OFFSET,
  isX87InUse,
  LEGACY_IMAGE_SIZE,
  mxcsrOf,
  restoreVectors,
  restoreX87,
  saveMxcsr,
  saveVectors,
  saveX87,
  vectorsInUse,
} from "./state-image.ts";
import { X87 } from "./x87-state.ts";

const VECTOR_GP = 13;
const X87_STATE = 1n;
const SSE_STATE = 2n;
const AVX_STATE = 4n;
const COMPACTED = 1n << 63n;

const INITIAL_MXCSR = 0x1f80;

const HEADER = { offset: LEGACY_IMAGE_SIZE, size: 64 } as const;
const UPPER_HALVES = HEADER.offset + HEADER.size;
const MAX_REGISTERS = 16;
const IMAGE_SIZE = UPPER_HALVES + MAX_REGISTERS * 16;

const fault = (): CpuException => new CpuException(VECTOR_GP, 0);
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Components that are not in their initial state (XINUSE). */
function componentsInUse(state: CpuState): bigint {
  return (
    (isX87InUse(state) ? X87_STATE : 0n) |
    (vectorsInUse(state, MAX_REGISTERS, false) ? SSE_STATE : 0n) |
    (vectorsInUse(state, MAX_REGISTERS, true) ? AVX_STATE : 0n)
  );
}

/** As XSAVEC and XGETBV see it: SSE is in use for the sake of MXCSR alone. */
function componentsWithMxcsr(state: CpuState): bigint {
  return componentsInUse(state) | (state.getNumber(STATE.mxcsr) === INITIAL_MXCSR ? 0n : SSE_STATE);
}

/** Where images are put together and taken apart. */
const scratch = new Uint8Array(IMAGE_SIZE);
const zeros = new Uint8Array(MAX_REGISTERS * 16);

type Style = "plain" | "optimized" | "compacted";

/**
 * (address, requested components, wide pointers, vector registers of the mode). "optimized" and "compacted" leave out components in their
 * initial state; the latter does not look at the old header.
 */
const save =
  (style: Style): Helper =>
  ({ state, memory }, address = 0n, requested = 0n, wide = 0n, registers = 16n) => {
    const components = requested & state.get(STATE.xcr0);
    const inUse = style === "compacted" ? componentsWithMxcsr(state) : componentsInUse(state);
    const written = style === "plain" ? components : components & inUse;
    const count = Number(registers);
    const write = (from: number, to: number): void =>
      memory.writeBytes(u64(address + BigInt(from)), scratch.subarray(from, to));
    const header = style === "compacted" ? 0n : memory.read(u64(address + BigInt(HEADER.offset)), 8);

    const { mxcsr, x87Registers, vectors } = IMAGE_OFFSET;
    const vectorsEnd = vectors + count * 16;
    const hasX87 = (written & X87_STATE) !== 0n;
    const hasSse = (written & SSE_STATE) !== 0n;
    // MXCSR goes with SSE in the compacted format, else with either.
    const hasMxcsr = style === "compacted" ? hasSse : (components & (SSE_STATE | AVX_STATE)) !== 0n;
    if (hasX87) saveX87(state, scratch, wide !== 0n);
    if (hasMxcsr) saveMxcsr(state, scratch);
    if (hasSse) saveVectors(state, scratch, vectors, count);
    if (hasX87 && hasMxcsr && hasSse) write(0, vectorsEnd);
    else {
      if (hasX87) write(0, mxcsr);
      if (hasMxcsr) write(mxcsr, x87Registers);
      if (hasX87) write(x87Registers, vectors);
      if (hasSse) write(vectors, vectorsEnd);
    }
    if (written & AVX_STATE) {
      saveVectors(state, scratch, UPPER_HALVES, count, true);
      write(UPPER_HALVES, UPPER_HALVES + count * 16);
    }
    memory.write(u64(address + BigInt(HEADER.offset)), 8, (header & ~components) | (inUse & components));
    if (style === "compacted") memory.write(u64(address + BigInt(HEADER.offset + 8)), 8, COMPACTED | components);
    return 0n;
  };

/** What a header says is in the image; #GP(0) for one that is malformed (SDM 1 13.8.1, 13.8.2). */
function checkedHeader(cpu: CpuContext, address: bigint): { present: bigint; compacted: boolean } {
  const header = new Uint8Array(HEADER.size);
  cpu.memory.readBytes(u64(address + BigInt(HEADER.offset)), header);
  const view = new DataView(header.buffer);
  const present = view.getBigUint64(0, true);
  const layout = view.getBigUint64(8, true);
  const enabled = cpu.state.get(STATE.xcr0);
  const compacted = (layout & COMPACTED) !== 0n;
  if (compacted) {
    if (!hasCompaction(cpu)) throw fault();
    const components = layout & ~COMPACTED;
    if (components & ~enabled || present & ~components || header.subarray(16).some((byte) => byte !== 0)) throw fault();
  } else if (present & ~enabled || header.subarray(8, 24).some((byte) => byte !== 0)) throw fault();
  return { present, compacted };
}

/** CPUID leaf 0Dh, subleaf 1: XSAVEC. */
function hasCompaction({ model }: CpuContext): boolean {
  return (model.cpuid(0xd, 1)[0] & 2) !== 0;
}

type Format = "either" | "compacted";

/** Operands as of `save`. Nothing changes before all checks have passed and the image was read. */
function restore(cpu: CpuContext, format: Format, operands: readonly bigint[]): void {
  const { state, memory } = cpu;
  const [address = 0n, requested = 0n, wide = 0n, registers = 16n] = operands;
  const { present, compacted } = checkedHeader(cpu, address);
  if (format === "compacted" && !compacted) throw fault();
  const components = requested & state.get(STATE.xcr0);
  const loaded = components & present;
  const count = Number(registers);
  const image = scratch.subarray(0, loaded & AVX_STATE ? UPPER_HALVES + count * 16 : LEGACY_IMAGE_SIZE);
  memory.readBytes(u64(address), image);

  const loadsMxcsr = compacted ? components & SSE_STATE : components & (SSE_STATE | AVX_STATE);
  const mxcsr = mxcsrOf(image);
  const isInitial = compacted && !(present & SSE_STATE);
  if (loadsMxcsr && !isInitial && mxcsr === undefined) throw fault();
  if (loadsMxcsr) state.setNumber(STATE.mxcsr, isInitial ? INITIAL_MXCSR : (mxcsr ?? 0));

  if (loaded & X87_STATE) restoreX87(state, image, wide !== 0n);
  else if (components & X87_STATE) initializeX87(state);
  if (loaded & SSE_STATE) restoreVectors(state, image, IMAGE_OFFSET.vectors, count);
  else if (components & SSE_STATE) restoreVectors(state, zeros, 0, count);
  if (loaded & AVX_STATE) restoreVectors(state, image, UPPER_HALVES, count, true);
  else if (components & AVX_STATE) restoreVectors(state, zeros, 0, count, true);
}

const restoring =
  (format: Format): Helper =>
  (cpu, ...operands) => {
    restore(cpu, format, operands);
    return 0n;
  };

function initializeX87(state: CpuState): void {
  const x87 = new X87(state);
  x87.initialize();
  for (let n = 0; n < 8; n++) x87.writePhysical(n, 0n);
}

/** (number): 0 is XCR0, 1 the enabled components that are in use. */
const readExtended: Helper = ({ state, model }, number = 0n) => {
  if (number === 0n) return state.get(STATE.xcr0);
  const hasInUse = (model.cpuid(0xd, 1)[0] & 4) !== 0;
  if (number !== 1n || !hasInUse) throw fault();
  return state.get(STATE.xcr0) & componentsWithMxcsr(state);
};

/** (number, value): x87 cannot be disabled, AVX needs SSE, and nothing can be enabled that CPUID does not show. */
const writeExtended: Helper = (cpu, number = 0n, value = 0n) => {
  const [low, , , high] = cpu.model.cpuid(0xd, 0);
  const supported = BigInt(low) | (BigInt(high) << 32n);
  const isConsistent = (value & X87_STATE) !== 0n && (value & (SSE_STATE | AVX_STATE)) !== AVX_STATE;
  if (number !== 0n || value & ~supported || !isConsistent) throw fault();
  cpu.state.set(STATE.xcr0, value);
  cpu.modeChanged();
  return 0n;
};

export const XSAVE_HELPERS: Record<string, Helper> = {
  xsave: save("plain"),
  xsaveopt: save("optimized"),
  xsavec: save("compacted"),
  xrstor: restoring("either"),
  xrstors: restoring("compacted"),
  xgetbv: readExtended,
  xsetbv: writeExtended,
};
