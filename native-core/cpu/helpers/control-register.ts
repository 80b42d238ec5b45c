// MOV to and from control and debug registers, LMSW, CLTS, INVLPG (SDM 3A 2.5, 17.2).
import { CR0, CR4, EFER, VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import { DR6, DR7_GD } from "../debug-registers.ts";
import { ATTRIBUTE } from "./descriptor.ts";
import { is64BitCode, isCanonical, isLongMode } from "./mode.ts";
import { CS } from "./segment-load.ts";

const CR0_DEFINED = CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.ET | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG;
/** Bits that this processor has, see cpuid.ts. */
const CR4_DEFINED = Object.values(CR4).reduce((all, bit) => all | bit, 0);
/** Changing one of these makes cached translations wrong. */
const CR0_PAGING = CR0.PG | CR0.WP | CR0.PE;
const CR4_PAGING = CR4.PSE | CR4.PAE | CR4.PGE | CR4.PCIDE | CR4.SMEP | CR4.SMAP;
/** Physical addresses have 40 bits (CPUID 80000008h). */
const CR3_RESERVED = ~((1n << 40n) - 1n);
/** With CR4.PCIDE: cached translations may be kept. They never are, which is always right (SDM 3A 4.10.4). */
const CR3_NO_FLUSH = 1n << 63n;
const CR3_PCID = 0xfffn;
/** DR6: bits that always read as one and those that can be written. */
const DR6_ONES = 0xffff_0ff0n;
const DR6_WRITABLE = 0xe00fn;
const DR7_ONES = 0x400n;
const DR7_WRITABLE = 0xffff_2bffn;

const fault = (): CpuException => new CpuException(VECTOR.GP, 0);

function writeCr0(cpu: CpuContext, value: bigint): void {
  const { state } = cpu;
  if (value >> 32n) throw fault();
  const old = state.getNumber(STATE.cr0);
  const next = ((Number(value) & CR0_DEFINED) | CR0.ET) >>> 0;
  const has = (bit: number): boolean => (next & bit) !== 0;
  if ((has(CR0.PG) && !has(CR0.PE)) || (has(CR0.NW) && !has(CR0.CD))) throw fault();
  const efer = state.getNumber(STATE.efer);
  const changed = old ^ next;
  if (!has(CR0.PG) && state.getNumber(STATE.cr4) & CR4.PCIDE) throw fault();
  if (changed & CR0.PG) {
    if (has(CR0.PG) && efer & EFER.LME) {
      // Long mode is activated: needs PAE and must not start in a segment that would be 64-bit code at once.
      const longCode = state.segmentNumber(CS, "attributes") & ATTRIBUTE.LONG;
      if (!(state.getNumber(STATE.cr4) & CR4.PAE) || longCode) throw fault();
      state.setNumber(STATE.efer, efer | EFER.LMA);
    } else if (!has(CR0.PG) && efer & EFER.LMA) {
      if (is64BitCode(cpu)) throw fault();
      state.setNumber(STATE.efer, efer & ~EFER.LMA);
    }
  }
  state.setNumber(STATE.cr0, next);
  if (changed & CR0_PAGING) cpu.memory.flush(false);
  cpu.modeChanged();
}

function writeCr3(cpu: CpuContext, value: bigint): void {
  const pcid = (cpu.state.getNumber(STATE.cr4) & CR4.PCIDE) !== 0;
  const base = pcid ? value & ~CR3_NO_FLUSH : value;
  if (isLongMode(cpu) && base & CR3_RESERVED) throw fault();
  cpu.state.set(STATE.cr3, base);
  cpu.memory.flush(true);
}

/** CPUID leaf 1. */
function hasXsave({ model }: CpuContext): boolean {
  return (model.cpuid(1, 0)[2] & (1 << 26)) !== 0;
}

function writeCr4(cpu: CpuContext, value: bigint): void {
  const { state } = cpu;
  const defined = hasXsave(cpu) ? CR4_DEFINED : CR4_DEFINED & ~CR4.OSXSAVE;
  if (value & ~BigInt(defined)) throw fault();
  const next = Number(value);
  if (isLongMode(cpu) && !(next & CR4.PAE)) throw fault();
  const changed = state.getNumber(STATE.cr4) ^ next;
  if (changed & next & CR4.PCIDE && (!isLongMode(cpu) || state.get(STATE.cr3) & CR3_PCID)) throw fault();
  state.setNumber(STATE.cr4, next);
  if (changed & CR4_PAGING) cpu.memory.flush(false);
  if (changed & CR4.DE) cpu.debugChanged();
  cpu.modeChanged();
}

/** (number) */
const readControl: Helper = (cpu, number) => {
  const { state } = cpu;
  switch (Number(number)) {
    case 0:
      return state.get(STATE.cr0);
    case 2:
      return state.get(STATE.cr2);
    case 3:
      return state.get(STATE.cr3);
    case 4:
      return state.get(STATE.cr4);
    case 8:
      return BigInt(cpu.platform.readTaskPriority() & 15);
    default:
      throw new CpuException(VECTOR.UD);
  }
};

/** (number, value) */
const writeControl: Helper = (cpu, number, valueOperand) => {
  const value = valueOperand ?? 0n;
  switch (Number(number)) {
    case 0:
      writeCr0(cpu, value);
      break;
    case 2:
      cpu.state.set(STATE.cr2, value);
      break;
    case 3:
      writeCr3(cpu, value);
      break;
    case 4:
      writeCr4(cpu, value);
      break;
    case 8:
      if (value > 15n) throw fault();
      cpu.state.set(STATE.cr8, value);
      cpu.platform.writeTaskPriority(Number(value));
      break;
    default:
      throw new CpuException(VECTOR.UD);
  }
  return 0n;
};

const DEBUG_ADDRESSES = [STATE.dr0, STATE.dr1, STATE.dr2, STATE.dr3] as const;

/** DR4 and DR5 name DR6 and DR7 unless CR4.DE is set. */
function debugNumber({ state }: CpuContext, number: bigint | undefined): number {
  const n = Number(number);
  const alias = n === 4 || n === 5;
  if (n > 7 || (alias && state.getNumber(STATE.cr4) & CR4.DE)) throw new CpuException(VECTOR.UD);
  return alias ? n + 2 : n;
}

/** DR7.GD guards all debug registers, once: entering the handler clears it (SDM 3B 18.2.4). */
function detectAccess({ state }: CpuContext): void {
  if (!(state.get(STATE.dr7) & DR7_GD)) return;
  state.set(STATE.dr6, state.get(STATE.dr6) | DR6.BD);
  throw new CpuException(VECTOR.DB);
}

const readDebug: Helper = (cpu, number) => {
  const n = debugNumber(cpu, number);
  detectAccess(cpu);
  const slot = DEBUG_ADDRESSES[n] ?? (n === 6 ? STATE.dr6 : STATE.dr7);
  return cpu.state.get(slot);
};

const writeDebug: Helper = (cpu, number, valueOperand) => {
  const n = debugNumber(cpu, number);
  detectAccess(cpu);
  const value = valueOperand ?? 0n;
  const slot = DEBUG_ADDRESSES[n];
  if (slot) cpu.state.set(slot, value);
  else if (value >> 32n) throw fault();
  else if (n === 6) cpu.state.set(STATE.dr6, (value & DR6_WRITABLE) | DR6_ONES);
  else cpu.state.set(STATE.dr7, (value & DR7_WRITABLE) | DR7_ONES);
  if (n !== 6) cpu.debugChanged();
  return 0n;
};

/** Bits 3..0 of CR0; PE can be set but not cleared. */
const loadMachineStatus: Helper = (cpu, value) => {
  const old = cpu.state.get(STATE.cr0);
  writeCr0(cpu, (old & ~0xen) | ((value ?? 0n) & 0xfn));
  return 0n;
};

const clearTaskSwitched: Helper = (cpu) => {
  const { state } = cpu;
  state.setNumber(STATE.cr0, (state.getNumber(STATE.cr0) & ~CR0.TS) >>> 0);
  cpu.modeChanged();
  return 0n;
};

const invalidatePage: Helper = (cpu, address) => {
  cpu.memory.invalidatePage(address ?? 0n);
  return 0n;
};

const INVALIDATE = { ADDRESS: 0n, CONTEXT: 1n, ALL: 2n, ALL_BUT_GLOBAL: 3n } as const;

/**
 * INVPCID (type, first and second quadword of the descriptor). No translation outlives a change of CR3, so that only the current PCID has
 * any.
 */
const invalidatePcid: Helper = (cpu, type = 0n, pcid = 0n, address = 0n) => {
  const { state, memory } = cpu;
  const paged = (state.getNumber(STATE.cr4) & CR4.PCIDE) !== 0;
  if (type > INVALIDATE.ALL_BUT_GLOBAL || pcid >> 12n) throw fault();
  if (type <= INVALIDATE.CONTEXT && pcid !== 0n && !paged) throw fault();
  if (type === INVALIDATE.ADDRESS && !isCanonical(address)) throw fault();
  const current = paged ? state.get(STATE.cr3) & CR3_PCID : 0n;
  if (type === INVALIDATE.ALL) memory.flush(false);
  else if (type === INVALIDATE.ALL_BUT_GLOBAL) memory.flush(true);
  else if (pcid !== current) return 0n;
  else if (type === INVALIDATE.CONTEXT) memory.flush(true);
  else memory.invalidatePage(address);
  return 0n;
};

export const CONTROL_REGISTER_HELPERS: Record<string, Helper> = {
  readControl,
  writeControl,
  readDebug,
  writeDebug,
  loadMachineStatus,
  clearTaskSwitched,
  invalidatePage,
  invalidatePcid,
};
