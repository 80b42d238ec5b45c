// The virtual interrupt flag: CR4.VME in virtual-8086 mode and CR4.PVI at CPL 3 let VIF stand for IF where IOPL is below 3, and CR4.VME
// has INT n of virtual-8086 code go through its own vector table as far as a bitmap in the TSS says (SDM 3A 21.3, 21.4).
import { CR4, RFLAGS, VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import { readSystemSegment, systemSlot } from "./descriptor.ts";
import { ioPrivilegeLevel, isVirtual8086, privilegeLevel } from "./mode.ts";
import { CS, loadRealSegment } from "./segment-load.ts";
import { StackCursor } from "./stack.ts";

const { TF, IF, DF, IOPL, NT, RF, VIF, VIP } = RFLAGS;

/** Offset of the I/O map base in a TSS; the redirection bitmap of 32 bytes lies below the map. */
const TSS_IO_MAP = 0x66;
const REDIRECTION_BYTES = 32;

const fault = (): CpuException => new CpuException(VECTOR.GP, 0);

const hasVme = ({ state }: CpuContext): boolean => (state.getNumber(STATE.cr4) & CR4.VME) !== 0;

/** In virtual-8086 mode with an IOPL that keeps IF from it, and a virtual one in its place. */
export function isVirtualFlagInUse(cpu: CpuContext): boolean {
  return isVirtual8086(cpu) && ioPrivilegeLevel(cpu) < 3 && hasVme(cpu);
}

/** CLI and STI beyond what IOPL allows: VIF, or #GP(0). */
function requireVirtualFlag(cpu: CpuContext): void {
  const extension = isVirtual8086(cpu) ? CR4.VME : privilegeLevel(cpu) === 3 ? CR4.PVI : 0;
  if (!(cpu.state.getNumber(STATE.cr4) & extension)) throw fault();
}

/** What POPF and IRET of virtual-8086 code make of the system flags. #GP(0) where its monitor has to look: an interrupt waits, or TF. */
export function virtualSystemFlags({ state }: CpuContext, image: bigint): number {
  const flags = state.getNumber(STATE.systemFlags);
  const wanted = Number(image & 0xffffn);
  if (wanted & TF || (wanted & IF && flags & VIP)) throw fault();
  const kept = flags & ~(DF | NT | RF | VIF);
  return kept | (wanted & (DF | NT)) | (wanted & IF ? VIF : 0);
}

/** FLAGS as virtual-8086 code sees them: VIF as IF, and IOPL 3. */
function virtualImage({ state }: CpuContext): bigint {
  const flags = state.flagBits;
  return BigInt((flags & 0xffff & ~IF) | IOPL | (flags & VIF ? IF : 0));
}

/** The bit of a vector in the redirection bitmap is clear: the interrupt belongs to the virtual-8086 program. */
function isRedirected(cpu: CpuContext, vector: number): boolean {
  const { state, memory } = cpu;
  const limit = readSystemSegment(cpu, "tr", "limit");
  if (limit < TSS_IO_MAP + 1) throw fault();
  const base = state.get(systemSlot("tr", "base"));
  const map = Number(memory.read(base + BigInt(TSS_IO_MAP), 2, true));
  const offset = map - REDIRECTION_BYTES + (vector >> 3);
  if (offset < 0 || offset > limit) throw fault();
  return ((Number(memory.read(base + BigInt(offset), 1, true)) >> (vector & 7)) & 1) === 0;
}

/** INT n in virtual-8086 mode: true if it has been delivered as in real mode. `next`: offset of the next instruction. */
export function redirectInterrupt(cpu: CpuContext, vector: number, next: bigint): boolean {
  if (!hasVme(cpu) || !isRedirected(cpu, vector)) return false;
  const { state, memory } = cpu;
  const isPrivileged = ioPrivilegeLevel(cpu) === 3;
  const pointer = memory.read(BigInt(vector * 4), 4);
  const stack = StackCursor.current(cpu);
  stack.push(2, isPrivileged ? state.flags : virtualImage(cpu));
  stack.push(2, state.segment(CS, "selector"));
  stack.push(2, next);
  stack.commit();
  const cleared = TF | RF | (isPrivileged ? IF : VIF);
  state.setNumber(STATE.systemFlags, state.getNumber(STATE.systemFlags) & ~cleared);
  loadRealSegment(cpu, CS, Number(pointer >> 16n));
  state.set(STATE.rip, pointer & 0xffffn);
  state.setNumber(STATE.trapInhibited, 1);
  cpu.modeChanged();
  return true;
}

/** PUSHF and POPF of virtual-8086 code with an IOPL below 3: 16-bit ones, with VME; else #GP(0). */
function requireVirtualImage(cpu: CpuContext, size: bigint | undefined): void {
  if (!hasVme(cpu) || size !== 2n) throw fault();
}

export const VIRTUAL_INTERRUPT_HELPERS: Record<string, Helper> = {
  clearVirtualInterrupt: (cpu) => {
    requireVirtualFlag(cpu);
    cpu.state.setNumber(STATE.systemFlags, cpu.state.getNumber(STATE.systemFlags) & ~VIF);
    return 0n;
  },
  setVirtualInterrupt: (cpu) => {
    requireVirtualFlag(cpu);
    const flags = cpu.state.getNumber(STATE.systemFlags);
    if (flags & VIP) throw fault();
    cpu.state.setNumber(STATE.systemFlags, flags | VIF);
    return 0n;
  },
  /** (operand size) -> what PUSHF pushes */
  pushVirtualFlags: (cpu, size) => {
    requireVirtualImage(cpu, size);
    return virtualImage(cpu);
  },
  /** (operand size): before POPF reads the stack. */
  requireVirtualFlags: (cpu, size) => {
    requireVirtualImage(cpu, size);
    return 0n;
  },
  /** (image) -> system flags */
  popVirtualFlags: (cpu, image = 0n) => BigInt(virtualSystemFlags(cpu, image)),
};
