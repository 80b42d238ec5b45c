// What helpers see of the vCPU: state, linear memory and the few things outside it that instructions can reach.
// Helpers (cpu/helpers) are written once against this and serve the interpreter, the JIT and the evaluator.
import { VECTOR } from "../x86/registers.ts";
import type { CpuState } from "./cpu-state.ts";

/**
 * An architectural exception. Helpers throw it; the tier that called the helper turns it into a pending exception. Not an Error: guests
 * cause them by the million, and collecting a stack trace through WebAssembly costs more than all the rest.
 */
export class CpuException {
  readonly vector: number;
  readonly errorCode: number | undefined;

  constructor(vector: number, errorCode?: number) {
    this.vector = vector;
    this.errorCode = errorCode;
  }
}

/**
 * Pending in place of a vector where a breakpoint on data or a port would be hit: the instruction has done nothing yet and is to be run
 * again alone, so that the trap comes right behind it.
 */
export const STEP_FIRST = 0x100;

/** Pending in place of #MF while CR0.NE is clear: the processor stops before the instruction and asserts FERR# (SDM 1 8.7.2). */
export const NUMERIC_ERROR = 0x102;

/** Pending in place of #GP or #SS for an address that is not canonical, until the instruction tells which of them it is. */
export const NON_CANONICAL = 0x101;

/** An access to `linear`, which is not canonical: #GP unless the instruction reached it as its stack. */
export class NonCanonicalAccess extends CpuException {
  readonly linear: bigint;

  constructor(linear: bigint) {
    super(VECTOR.GP, 0);
    this.linear = linear;
  }
}

export type AccessKind = "read" | "write" | "execute";

/** Linear memory through the page tables of the current address space. Throws CpuException (#PF, #GP) where the processor would fault. */
export interface LinearMemory {
  /** Zero-extended. `supervisor`: implicit system access (descriptor tables, TSS) whatever CPL is. */
  read(address: bigint, size: 1 | 2 | 4 | 8, supervisor?: boolean): bigint;
  write(address: bigint, size: 1 | 2 | 4 | 8, value: bigint, supervisor?: boolean): void;
  readBytes(address: bigint, target: Uint8Array, supervisor?: boolean): void;
  writeBytes(address: bigint, source: Uint8Array, supervisor?: boolean): void;
  /** Drops all cached translations (`keepGlobal`: except global pages, if the implementation tells them apart). */
  flush(keepGlobal: boolean): void;
  invalidatePage(address: bigint): void;
}

/** Registers of the machine's paravirtual clock, which the vCPU reaches as MSRs. Undefined or false: there is no such register. */
export interface ClockRegisters {
  read(number: number): bigint | undefined;
  write(number: number, value: bigint): boolean;
  /** The guest moved the vCPU's time-stamp counter. */
  counterMoved(): void;
}

/** The machine around the vCPU as instructions see it. */
export interface Platform {
  readPort(port: number, size: 1 | 2 | 4): number;
  writePort(port: number, size: 1 | 2 | 4, value: number): void;
  /** Time-stamp counter before the vCPU's offset is added. */
  readTsc(): bigint;
  random(bytes: Uint8Array): void;
  /** PAUSE: the vCPU spins. */
  pause(): void;
  /** Task priority in the local APIC, CR8's other face. */
  readTaskPriority(): number;
  writeTaskPriority(value: number): void;
  /** IA32_APIC_BASE changed. */
  setApicBase(value: bigint): void;
  /** x2APIC registers, by number from MSR 800h on. Undefined or false: #GP. */
  readX2apic(number: number): bigint | undefined;
  writeX2apic(number: number, value: bigint): boolean;
  /** IA32_TSC_DEADLINE before the vCPU's offset is added; 0 is not armed. */
  readTscDeadline(): bigint;
  writeTscDeadline(value: bigint): void;
  readonly clockRegisters?: ClockRegisters;
}

export interface CpuContext {
  readonly state: CpuState;
  readonly memory: LinearMemory;
  readonly platform: Platform;
  /** CPUID model of this machine. */
  readonly model: CpuModel;
  /** To be called after CS, CPL, CR0, CR4, EFER, SS or at CPL 3 EFLAGS.AC changed: recomputes codeMode, stackMask and the TLB in use. */
  modeChanged(): void;
  /** HLT: sleep until an interrupt. */
  halt(): void;
  /** MONITOR: notes the line that holds the byte. */
  monitorLine(linear: bigint): void;
  /** MWAIT: sleep until an interrupt or a change of the line; not at all where none is being watched. */
  monitorWait(): void;
  /** DR0..DR3, DR7 or CR4.DE changed. */
  debugChanged(): void;
  /** A port is about to be read or written: a breakpoint may be on it. */
  watchPort(port: number, size: number): void;
  /** IRET: the next NMI may be delivered. */
  unblockNmi(): void;
}

export interface CpuModel {
  /** CPUID leaf and subleaf to EAX, EBX, ECX, EDX (unsigned). */
  cpuid(leaf: number, subleaf: number): readonly [number, number, number, number];
}

/** A helper: i64 operands in, i64 result out. */
export type Helper = (cpu: CpuContext, ...args: bigint[]) => bigint;
