// Delivery of exceptions and interrupts through the IDT (SDM 3A 6.8-6.15) or the real-mode vector table, with escalation to #DF and
// shutdown. `deliverEvent` is for the run loop; the helpers at the end are INT n, INT3, INTO and INT1.
import { RFLAGS, VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import { DR6, DR7_GD } from "../debug-registers.ts";
import { deliverLong } from "./deliver-long.ts";
import { deliverProtected } from "./deliver-protected.ts";
import { ioPrivilegeLevel, isLongMode, isRealAddressing, isVirtual8086 } from "./mode.ts";
import { CS, loadRealSegment } from "./segment-load.ts";
import { StackCursor } from "./stack.ts";
import { NewTaskException } from "./task-switch.ts";
import { redirectInterrupt } from "./virtual-interrupts.ts";

/** "software": INT n, INT3, INTO, which check the gate's privilege level; "trap": INT1 and single steps, which do not. */
export type EventKind = "exception" | "trap" | "external" | "software";

export interface EventOptions {
  readonly kind?: EventKind;
  readonly errorCode?: number;
  /** A trap vector that is a fault this time: #DB of an instruction breakpoint. */
  readonly fault?: boolean;
  /** Offset in CS to return to; default: STATE.rip (the instruction that faulted or is to be run next). */
  readonly returnRip?: bigint;
}

/** An event on its way, with everything decided. */
export interface PendingEvent {
  readonly vector: number;
  readonly kind: EventKind;
  readonly errorCode: number | undefined;
  readonly returnRip: bigint;
  /** RFLAGS as pushed: RF is set for faults, so that an instruction breakpoint does not hit again. */
  readonly flags: bigint;
  /** EXT: bit 0 of the error code of a fault during delivery. */
  readonly external: number;
}

const CONTRIBUTORY: readonly number[] = [VECTOR.DE, VECTOR.TS, VECTOR.NP, VECTOR.SS, VECTOR.GP];
const TRAPS: readonly number[] = [VECTOR.DB, VECTOR.BP, VECTOR.OF, VECTOR.DF, VECTOR.MC];

/**
 * Delivers an event to the guest. A fault meanwhile is delivered in its place, or becomes #DF.
 * @returns false if the processor shuts down (fault while delivering #DF).
 */
export function deliverEvent(cpu: CpuContext, vector: number, options: EventOptions = {}): boolean {
  let current = vector;
  let currentOptions = options;
  for (;;) {
    try {
      deliverOnce(cpu, current, currentOptions);
      return true;
    } catch (error) {
      if (!(error instanceof CpuException)) throw error;
      const hardware = (currentOptions.kind ?? "exception") === "exception";
      if (hardware && current === VECTOR.DF) return false;
      const escalates = hardware && isDouble(current, error.vector);
      current = escalates ? VECTOR.DF : error.vector;
      const errorCode = escalates ? 0 : error.errorCode;
      const isElsewhere = options.returnRip === undefined || error instanceof NewTaskException;
      const returnRip = isElsewhere ? {} : { returnRip: options.returnRip };
      currentOptions = errorCode === undefined ? returnRip : { ...returnRip, errorCode };
    }
  }
}

/** SDM 3A table 6-5. */
function isDouble(first: number, second: number): boolean {
  const secondCounts = CONTRIBUTORY.includes(second);
  if (first === VECTOR.PF) return secondCounts || second === VECTOR.PF;
  return CONTRIBUTORY.includes(first) && secondCounts;
}

/** One attempt. Throws CpuException with nothing changed but memory below the stack pointer. */
function deliverOnce(cpu: CpuContext, vector: number, options: EventOptions): void {
  const { state } = cpu;
  const kind = options.kind ?? "exception";
  const fault = options.fault ?? (kind === "exception" && !TRAPS.includes(vector));
  const event: PendingEvent = {
    vector,
    kind,
    errorCode: options.errorCode,
    returnRip: options.returnRip ?? state.get(STATE.rip),
    flags: fault ? state.flags | BigInt(RFLAGS.RF) : state.flags,
    external: kind === "software" ? 0 : 1,
  };
  if (isRealAddressing(cpu) && !isVirtual8086(cpu)) deliverReal(cpu, event);
  else if (isLongMode(cpu)) deliverLong(cpu, event);
  else deliverProtected(cpu, event);
  if (vector === VECTOR.DB) state.set(STATE.dr7, state.get(STATE.dr7) & ~DR7_GD);
  state.setNumber(STATE.interruptShadow, 0);
  state.setNumber(STATE.trapInhibited, 1);
}

function deliverReal(cpu: CpuContext, event: PendingEvent): void {
  const { state, memory } = cpu;
  const entry = event.vector * 4;
  if (entry + 3 > state.getNumber(STATE.idtLimit)) throw new CpuException(VECTOR.GP, 0);
  const pointer = memory.read(state.get(STATE.idtBase) + BigInt(entry), 4, true);
  const stack = StackCursor.current(cpu);
  stack.push(2, state.flags);
  stack.push(2, state.segment(CS, "selector"));
  stack.push(2, event.returnRip);
  stack.commit();
  state.flags &= ~BigInt(RFLAGS.IF | RFLAGS.TF | RFLAGS.AC | RFLAGS.RF);
  loadRealSegment(cpu, CS, Number(pointer >> 16n));
  state.set(STATE.rip, pointer & 0xffffn);
  cpu.modeChanged();
}

/** INT n (vector, offset of the next instruction). In virtual-8086 mode it goes to the program itself or needs IOPL 3. */
const softwareInterrupt: Helper = (cpu, vector = 0n, next = 0n) => {
  if (isVirtual8086(cpu)) {
    if (redirectInterrupt(cpu, Number(vector), next)) return 0n;
    if (ioPrivilegeLevel(cpu) < 3) throw new CpuException(VECTOR.GP, 0);
  }
  return fixedInterrupt(cpu, vector, next);
};

/** INT3 and INTO: as INT n, but all that keeps virtual-8086 code from them is the gate's privilege level. */
const fixedInterrupt: Helper = (cpu, vector = 0n, next = 0n) => {
  finishing(cpu, () => deliverOnce(cpu, Number(vector), { kind: "software", returnRip: next }));
  return 0n;
};

/** (offset of the next instruction) */
const debugInterrupt: Helper = (cpu, next) => {
  const { state } = cpu;
  // A data breakpoint that MOV SS held back comes with it.
  const hits = BigInt(state.getNumber(STATE.debugHits));
  if (hits !== 0n) state.set(STATE.dr6, (state.get(STATE.dr6) & ~DR6.HITS) | hits);
  state.setNumber(STATE.debugHits, 0);
  finishing(cpu, () => deliverOnce(cpu, VECTOR.DB, { kind: "trap", returnRip: next ?? 0n }));
  return 0n;
};

export const INTERRUPT_HELPERS: Record<string, Helper> = { softwareInterrupt, fixedInterrupt, debugInterrupt };

/** For an instruction that may switch tasks: a fault in the new task is delivered here, as the instruction is over. */
export function finishing(cpu: CpuContext, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof NewTaskException)) throw error;
    const options = error.errorCode === undefined ? {} : { errorCode: error.errorCode };
    if (!deliverEvent(cpu, error.vector, options)) throw new CpuException(VECTOR.DF, 0);
  }
}
