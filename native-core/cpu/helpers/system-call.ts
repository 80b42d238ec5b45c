// SYSCALL, SYSRET, SYSENTER, SYSEXIT: privilege changes with fixed flat segments from MSRs instead of descriptors (SDM 2B; AMD APM 3).
import { CR0, EFER, FLAT_SEGMENT, RFLAGS, VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import { DR6, trapNext } from "../debug-registers.ts";
import { is64BitCode, isCanonical, isLongMode, privilegeLevel } from "./mode.ts";
import { CS, SS, writeSegment } from "./segment-load.ts";

const RCX = 1;
const RDX = 2;
const RSP = 4;
const R11 = 11;

const { CODE_64, CODE_32, DATA, DPL3 } = FLAT_SEGMENT;

/** What SYSRET takes from R11: all but RF, VM and the reserved bits. */
const RETURN_FLAGS = 0x3c_7fd7;

function flatSegments(cpu: CpuContext, code: number, stack: number, long: boolean, level: number): void {
  const dpl = level === 3 ? DPL3 : 0;
  writeSegment(cpu, CS, (code & 0xfffc) | level, 0n, 0xffff_ffff, (long ? CODE_64 : CODE_32) | dpl);
  writeSegment(cpu, SS, (stack & 0xfffc) | level, 0n, 0xffff_ffff, DATA | dpl);
  cpu.state.setNumber(STATE.cpl, level);
  cpu.modeChanged();
}

function requireSyscall({ state }: CpuContext): void {
  if (!(state.getNumber(STATE.efer) & EFER.SCE)) throw new CpuException(VECTOR.UD);
}

/** (offset of the next instruction). From compatibility mode the target is CSTAR, as on AMD processors. */
const systemCall: Helper = (cpu, next) => {
  const { state } = cpu;
  requireSyscall(cpu);
  const star = state.get(STATE.star);
  const selector = Number((star >> 32n) & 0xffffn);
  const flags = state.flagBits;
  state.setGeneral(RCX, next ?? 0n);
  if (isLongMode(cpu)) {
    const target = is64BitCode(cpu) ? STATE.lstar : STATE.cstar;
    state.setGeneral(R11, BigInt((flags & ~RFLAGS.RF) >>> 0));
    state.flagBits = flags & ~state.getNumber(STATE.fmask) & ~RFLAGS.RF;
    state.set(STATE.rip, state.get(target));
    flatSegments(cpu, selector, selector + 8, true, 0);
  } else {
    state.flagBits = flags & ~(RFLAGS.IF | RFLAGS.RF | RFLAGS.VM);
    state.set(STATE.rip, star & 0xffff_ffffn);
    flatSegments(cpu, selector, selector + 8, false, 0);
  }
  // A single step ends with the instruction unless that masked it.
  state.setNumber(STATE.trapInhibited, state.flagBits & RFLAGS.TF ? 0 : 1);
  return 0n;
};

/** (operand size): 8 returns to 64-bit code, else to 32-bit code. */
const systemReturn: Helper = (cpu, size) => {
  const { state } = cpu;
  requireSyscall(cpu);
  if (!(state.getNumber(STATE.cr0) & CR0.PE) || privilegeLevel(cpu) !== 0) throw new CpuException(VECTOR.GP, 0);
  const selector = Number(state.get(STATE.star) >> 48n);
  const target = state.general(RCX);
  if (size === 8n) {
    if (!isCanonical(target)) throw new CpuException(VECTOR.GP, 0);
    state.set(STATE.rip, target);
  } else state.set(STATE.rip, target & 0xffff_ffffn);
  if (isLongMode(cpu)) state.flagBits = Number(state.general(R11) & 0xffff_ffffn) & RETURN_FLAGS;
  else state.flagBits |= RFLAGS.IF;
  // A single step ends with SYSRET, not behind the instruction it returns to.
  if (state.flagBits & RFLAGS.TF) trapNext(state, DR6.BS);
  flatSegments(cpu, size === 8n ? selector + 16 : selector, selector + 8, size === 8n, 3);
  return 0n;
};

/** In long mode processors of AMD, as which CPUID shows this one, do not know SYSENTER and SYSEXIT (AMD APM 3). */
function sysenterSelector(cpu: CpuContext): number {
  if (isLongMode(cpu)) throw new CpuException(VECTOR.UD);
  const selector = Number(cpu.state.get(STATE.sysenterCs) & 0xffffn);
  if (!(cpu.state.getNumber(STATE.cr0) & CR0.PE) || (selector & 0xfffc) === 0) throw new CpuException(VECTOR.GP, 0);
  return selector;
}

/** TF stays: a single step ends at the handler's first instruction. */
const systemEnter: Helper = (cpu) => {
  const { state } = cpu;
  const selector = sysenterSelector(cpu);
  state.flagBits &= ~(RFLAGS.IF | RFLAGS.VM | RFLAGS.RF);
  state.setGeneral(RSP, state.get(STATE.sysenterEsp) & 0xffff_ffffn);
  state.set(STATE.rip, state.get(STATE.sysenterEip) & 0xffff_ffffn);
  flatSegments(cpu, selector, selector + 8, false, 0);
  return 0n;
};

const systemExit: Helper = (cpu) => {
  const { state } = cpu;
  const selector = sysenterSelector(cpu);
  if (privilegeLevel(cpu) !== 0) throw new CpuException(VECTOR.GP, 0);
  state.setGeneral(RSP, state.general(RCX) & 0xffff_ffffn);
  state.set(STATE.rip, state.general(RDX) & 0xffff_ffffn);
  flatSegments(cpu, selector + 16, selector + 24, false, 3);
  return 0n;
};

export const SYSTEM_CALL_HELPERS: Record<string, Helper> = { systemCall, systemReturn, systemEnter, systemExit };
