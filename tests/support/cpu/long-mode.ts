// A processor on a small flat machine, in 64-bit or 32-bit mode, the same on the evaluator and on the interpreter:
//
//   0x01000  page tables: the first 2 MiB mapped to themselves (one page of 2 MiB)
//   0x04000  IDT: every vector leads to its own HLT at HANDLERS + 16 * vector
//   0x06000  GDT: null, code (0x08), data (0x10), user data (0x18), user code (0x20)
//   0x07000  HLTs of the exception handlers
//   0x10000  code        0x20000  data        0x3f000  top of the stack
import type { CpuModel, Platform } from "../../../native-core/cpu/context.ts";
import type { CpuState } from "../../../native-core/cpu/cpu-state.ts";
import { EvaluatorCpu } from "../../../native-core/cpu/evaluator/evaluator-cpu.ts";
import type { JitOptions } from "../../../native-core/cpu/jit/jit.ts";
import type { InterpreterVcpu } from "../../../native-core/cpu/vcpu.ts";
import { createVcpu, type DeviceAccess } from "../../../native-core/cpu/vcpu-group.ts";
import { interpreterModule as builtInterpreter } from "../../../native-core/host/interpreter-module.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";

export const RAM_BYTES = 0x4_0000;
export const CODE = 0x1_0000;
export const DATA = 0x2_0000;
export const STACK = 0x3_f000;
export const HANDLERS = 0x7000;

const PML4 = 0x1000;
const PDPT = 0x2000;
const PD = 0x3000;
const IDT = 0x4000;
const TSS = 0x5000;
const GDT = 0x6000;

export const PLATFORM: Platform = {
  readPort: (port) => port & 0xff,
  writePort: () => {},
  readTsc: () => 0x1234_5678n,
  random: (bytes) => void bytes.fill(4),
  readTaskPriority: () => 0,
  writeTaskPriority: () => {},
  setApicBase: () => {},
  pause: () => {},
  readX2apic: () => undefined,
  writeX2apic: () => false,
  readTscDeadline: () => 0n,
  writeTscDeadline: () => {},
};

export const MODEL: CpuModel = { cpuid: (leaf, subleaf) => [leaf, subleaf, 3, 4] };
const BUS: DeviceAccess = { readMmio: () => 0xffff_ffff, writeMmio: () => {} };

// Generating it takes seconds, so it is only done when its sources have changed.
const compiled = await builtInterpreter();

export function interpreterModule(): WebAssembly.Module {
  return compiled;
}

export interface Interrupts {
  hasInterrupt(): boolean;
  acknowledge(): number | undefined;
}
const NO_INTERRUPTS: Interrupts = { hasInterrupt: () => false, acknowledge: () => undefined };

export interface Machine {
  readonly state: CpuState;
  write(address: number, bytes: Uint8Array): void;
}

export function interpreterMachine(
  ramBytes: number = RAM_BYTES,
  interrupts: Interrupts = NO_INTERRUPTS,
  bus = BUS,
  jit?: JitOptions,
  operationCacheBytes?: number,
): InterpreterVcpu {
  const cpu = createVcpu({
    ramBytes,
    interpreterModule: interpreterModule(),
    platform: PLATFORM,
    interrupts,
    bus,
    model: MODEL,
    jit,
    operationCacheBytes,
  });
  enterLongMode({ state: cpu.state, write: (address, bytes) => cpu.ram.write(address, bytes) });
  cpu.invalidateAll();
  return cpu;
}

export function evaluatorMachine(ramBytes: number = RAM_BYTES): EvaluatorCpu {
  const cpu = new EvaluatorCpu({ ramBytes, platform: PLATFORM, model: MODEL, devices: BUS });
  enterLongMode({ state: cpu.state, write: (address, bytes) => cpu.memory.bytes.set(bytes, address) });
  cpu.modeChanged();
  return cpu;
}

export function quadwords(...values: bigint[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 8);
  const view = new DataView(bytes.buffer);
  values.forEach((value, n) => {
    view.setBigUint64(n * 8, BigInt.asUintN(64, value), true);
  });
  return bytes;
}

export function enterLongMode({ state, write }: Machine): void {
  write(PML4, quadwords(BigInt(PDPT) | 7n));
  write(PDPT, quadwords(BigInt(PD) | 7n));
  write(PD, quadwords(0x87n));
  write(
    GDT,
    quadwords(0n, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0x00cf_f300_0000_ffffn, 0x00af_fb00_0000_ffffn),
  );
  for (let vector = 0; vector < 32; vector++) {
    const handler = BigInt(HANDLERS + vector * 16);
    // Interrupt gate, present, selector 8.
    write(IDT + vector * 16, quadwords((handler & 0xffffn) | (8n << 16n) | (0x8e00n << 32n), 0n));
    write(HANDLERS + vector * 16, Uint8Array.of(0xf4));
  }
  state.set(STATE.cr3, BigInt(PML4));
  state.set(STATE.cr4, 0x6b0n);
  state.set(STATE.efer, 0xd01n);
  state.set(STATE.cr0, 0x8001_0033n);
  state.set(STATE.idtBase, BigInt(IDT));
  state.setNumber(STATE.idtLimit, 0xfff);
  state.set(STATE.gdtBase, BigInt(GDT));
  state.setNumber(STATE.gdtLimit, 5 * 8 - 1);
  for (const segment of ["es", "ss", "ds", "fs", "gs"] as const) {
    state.setSegment(segment, "selector", 0x10n);
    state.setSegment(segment, "base", 0n);
    state.setSegment(segment, "limit", 0xffff_ffffn);
    state.setSegment(segment, "attributes", 0xcf93n);
  }
  state.setSegment("cs", "selector", 8n);
  state.setSegment("cs", "base", 0n);
  state.setSegment("cs", "limit", 0xffff_ffffn);
  state.setSegment("cs", "attributes", 0xaf9bn);
  state.setNumber(STATE.cpl, 0);
  state.flags = 2n;
  state.setGeneral(4, BigInt(STACK));
  state.set(STATE.rip, BigInt(CODE));
}

/** User code from the next instruction on, and a TSS whose RSP0 is the stack of the handlers. */
export function enterUser(cpu: InterpreterVcpu): void {
  const { state } = cpu;
  state.setNumber(STATE.cpl, 3);
  state.setSegment("cs", "selector", 0x23n);
  state.setSegment("cs", "attributes", 0xaffbn);
  state.setSegment("ss", "selector", 0x1bn);
  state.setSegment("ss", "attributes", 0xcff3n);
  cpu.ram.write(TSS, quadwords(0n, BigInt(STACK)));
  state.set(STATE.tr, BigInt(TSS + 4));
  state.setNumber({ offset: STATE.tr.offset + 8, type: "u32" }, 0x67);
  state.setNumber({ offset: STATE.tr.offset + 12, type: "u16" }, 0x8b);
}

/** Lets AVX instructions run: CR4.OSXSAVE, and x87, SSE and AVX in XCR0. To be followed by `modeChanged`. */
export function enableAvx(state: CpuState): void {
  state.set(STATE.cr4, state.get(STATE.cr4) | 0x4_0000n);
  state.set(STATE.xcr0, 7n);
}

/** As enterLongMode, but 32-bit protected mode: flat segments, no paging, an IDT of 32-bit gates at the same place. */
export function enterProtectedMode({ state, write }: Machine): void {
  enterLongMode({ state, write });
  write(GDT, quadwords(0n, 0x00cf_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn));
  write(IDT, new Uint8Array(0x1000));
  for (let vector = 0; vector < 32; vector++) {
    const handler = BigInt(HANDLERS + vector * 16);
    write(IDT + vector * 8, quadwords((handler & 0xffffn) | (8n << 16n) | (0x8e00n << 32n)));
  }
  state.set(STATE.cr0, 0x33n);
  state.set(STATE.cr4, 0x600n);
  state.set(STATE.efer, 0n);
  state.setNumber(STATE.idtLimit, 0xff);
  state.setSegment("cs", "attributes", 0xcf9bn);
}
