// IRET in all modes (SDM 2A, IRET). Everything is read and checked before anything is written.
import { RFLAGS, VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import { isLong, requireCode, requireOffset } from "./code-target.ts";
import { finishing } from "./deliver-event.ts";
import { systemSlot } from "./descriptor.ts";
import { jumpReal } from "./far-transfer.ts";
import { ioPrivilegeLevel, is64BitCode, isLongMode, isRealAddressing, isVirtual8086, privilegeLevel } from "./mode.ts";
import { returnToOuter } from "./outer-return.ts";
import { loadRealSegment, writeCodeSegment } from "./segment-load.ts";
import { StackCursor } from "./stack.ts";
import { switchTask } from "./task-switch.ts";
import { isVirtualFlagInUse, virtualSystemFlags } from "./virtual-interrupts.ts";

type OperandSize = 2 | 4 | 8;

const { CF, PF, AF, ZF, SF, TF, IF, DF, OF, IOPL, NT, RF, VM, AC, VIF, VIP, ID } = RFLAGS;
const ARITHMETIC = CF | PF | AF | ZF | SF | OF;
const ALWAYS = ARITHMETIC | TF | DF | NT | RF | AC | ID;
/** What a return from CPL 0 sets besides. */
const SUPERVISOR = IOPL | VIF | VIP;

/** Flags taken from the stack image; `writable` as far as the operand size reaches. */
function restoreFlags(cpu: CpuContext, image: bigint, size: OperandSize, writable: number): void {
  const { state } = cpu;
  const mask = size === 2 ? writable & 0xffff : writable;
  state.flagBits = (state.flagBits & ~mask) | (Number(image & 0xffff_ffffn) & mask);
  // Alignment checks may begin.
  if (state.flagBits & AC) cpu.modeChanged();
}

/** With the privilege before the return: IF needs CPL <= IOPL, IOPL and the virtual flags need CPL 0. */
function writableFlags(cpu: CpuContext): number {
  const cpl = privilegeLevel(cpu);
  return ALWAYS | (cpl <= ioPrivilegeLevel(cpu) ? IF : 0) | (cpl === 0 ? SUPERVISOR : 0);
}

function returnReal(cpu: CpuContext, size: OperandSize): void {
  const virtual = isVirtual8086(cpu);
  const substituted = isVirtualFlagInUse(cpu) && size === 2;
  if (virtual && ioPrivilegeLevel(cpu) < 3 && !substituted) throw new CpuException(VECTOR.GP, 0);
  const stack = StackCursor.current(cpu);
  const offset = stack.pop(size);
  const selector = Number(stack.pop(size) & 0xffffn);
  const image = stack.pop(size);
  const systemFlags = substituted ? virtualSystemFlags(cpu, image) : undefined;
  jumpReal(cpu, selector, offset);
  restoreFlags(cpu, image, size, substituted ? ARITHMETIC : ALWAYS | IF | (virtual ? 0 : IOPL));
  if (systemFlags !== undefined) cpu.state.setNumber(STATE.systemFlags, systemFlags);
  stack.commit();
}

/** 32-bit return to virtual-8086 mode: stack and data segments follow in the frame. */
function returnToVirtual8086(
  cpu: CpuContext,
  stack: StackCursor,
  offset: bigint,
  selector: number,
  image: bigint,
): void {
  const { state } = cpu;
  const [esp, ss, es, ds, fs, gs] = Array.from({ length: 6 }, () => stack.pop(4)) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  restoreFlags(cpu, image, 4, ALWAYS | IF | SUPERVISOR | VM);
  state.setNumber(STATE.cpl, 3);
  const selectors = [es, BigInt(selector), ss, ds, fs, gs];
  selectors.forEach((value, segment) => loadRealSegment(cpu, segment, Number(value & 0xffffn)));
  state.setGeneral(4, esp);
  state.set(STATE.rip, offset & 0xffffn);
  cpu.modeChanged();
}

function returnProtected(cpu: CpuContext, size: OperandSize): void {
  const { state } = cpu;
  const stack = StackCursor.current(cpu);
  const long = is64BitCode(cpu);
  // 64-bit code always pops a stack pointer as well.
  const [offset = 0n, codeSelector = 0n, image = 0n, ...rest] = stack.popFrame(size, long ? 5 : 3);
  const selector = Number(codeSelector & 0xffffn);
  const cpl = privilegeLevel(cpu);
  if (!isLongMode(cpu) && size === 4 && image & BigInt(VM) && cpl === 0) {
    returnToVirtual8086(cpu, stack, offset, selector, image);
    return;
  }
  const rpl = selector & 3;
  const descriptor = requireCode(
    cpu,
    selector,
    (dpl, conforming) => rpl >= cpl && (conforming ? dpl <= rpl : dpl === rpl),
  );
  requireOffset(cpu, descriptor, offset);
  const writable = writableFlags(cpu);
  if (rpl > cpl || long) {
    const [rsp = 0n, stackSelector = 0n] = long ? rest : stack.popFrame(size, 2);
    const ss = Number(stackSelector & 0xffffn);
    returnToOuter(cpu, { selector, descriptor, offset, rsp, ss, nullStack: isLong(cpu, descriptor) });
  } else {
    stack.commit();
    writeCodeSegment(cpu, selector, cpl, descriptor);
    state.set(STATE.rip, offset);
    cpu.modeChanged();
  }
  restoreFlags(cpu, image, size, writable);
}

/** NT: back to the task whose selector the current TSS holds. There are no tasks in long mode. */
function returnToTask(cpu: CpuContext, next: bigint): void {
  if (isLongMode(cpu)) throw new CpuException(VECTOR.GP, 0);
  const link = cpu.memory.read(cpu.state.get(systemSlot("tr", "base")), 2, true);
  finishing(cpu, () => switchTask(cpu, Number(link), "return", next));
}

/** (operand size, offset of the next instruction) */
const interruptReturn: Helper = (cpu, sizeValue, next) => {
  const size = Number(sizeValue) as OperandSize;
  // NMIs may come again, even if this one ends in a fault (SDM 3A 6.7.1).
  cpu.unblockNmi();
  if (isRealAddressing(cpu)) returnReal(cpu, size);
  else if (cpu.state.getNumber(STATE.systemFlags) & NT) returnToTask(cpu, next ?? 0n);
  else returnProtected(cpu, size);
  return 0n;
};

export const INTERRUPT_RETURN_HELPERS: Record<string, Helper> = { interruptReturn };
