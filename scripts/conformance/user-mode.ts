// User code on a bare machine: page tables, long mode, and an IDT whose gates show which exception came. Puts a case in, takes the outcome out.
//
//   guest physical   0x1000 page tables   0x7000 GDT   0x8000 IDT   0x9000 TSS   0xB000 top of the kernel stack   0xC000 HLT per gate
//                    0x10000 code page    0x11000 data page
//   linear           CODE_ADDRESS, DATA_ADDRESS for user code; the first 64 KiB as they are for the kernel
import type { CpuModel, Platform } from "../../native-core/cpu/context.ts";
import type { CpuState } from "../../native-core/cpu/cpu-state.ts";
import { STATE, X87_OFFSET, X87_STRIDE } from "../../native-core/x86/state-layout.ts";
import {
  CODE_ADDRESS,
  DATA_ADDRESS,
  type Fault,
  type Mode,
  type Outcome,
  SLOT_ADDRESS,
  slotOffset,
  type TestState,
  WINDOW_ADDRESS,
} from "./vector-format.ts";

const TABLES = { pml4: 0x1000, pdpt: 0x2000, directory: 0x3000, code: 0x4000, data: 0x5000, low: 0x6000 };
const GDT = 0x7000;
const LDT = 0x7800;
const LDT_PRESENT = 0x82;
const IDT = 0x8000;
const TSS = 0x9000;
const KERNEL_STACK = 0xb000;
export const CODE_PAGE = 0x1_0000;
const DATA_PAGE = 0x1_1000;
/** Guest physical address of the instruction. */
export const SLOT = CODE_PAGE + Number(SLOT_ADDRESS - CODE_ADDRESS);
const WINDOW_OFFSET = Number(WINDOW_ADDRESS - DATA_ADDRESS);
/** Where gate n leads. */
export const RAM_BYTES = 1 << 20;
const HLT = 0xf4;
const HANDLERS = 0xc000n;

const PRESENT = 1n;
const WRITABLE = 2n;
const USER = 4n;

const KERNEL_CS = 0x10n;
interface SegmentSetup {
  readonly selector: bigint;
  readonly base: bigint;
  readonly limit: bigint;
  readonly attributes: bigint;
}
const NULL_SEGMENT: SegmentSetup = { selector: 0n, base: 0n, limit: 0n, attributes: 0n };
const FLAT = { base: 0n, limit: 0xffff_ffffn };
const FLAT_DATA: SegmentSetup = { ...FLAT, selector: 0x2bn, attributes: 0xc0f3n };
const SEGMENTS_OF: Record<Mode, { code: SegmentSetup; data: SegmentSetup }> = {
  "64": { code: { ...FLAT, selector: 0x33n, attributes: 0xa0fbn }, data: FLAT_DATA },
  legacy: { code: { ...FLAT, selector: 0x23n, attributes: 0xc0fbn }, data: FLAT_DATA },
  "16": {
    code: { selector: 0x07n, base: CODE_ADDRESS, limit: 0xffffn, attributes: 0x00fbn },
    data: { selector: 0x0fn, base: DATA_ADDRESS, limit: 0xffffn, attributes: 0x00f3n },
  },
};
/** The descriptors of 16-bit code and data. */
const LDT_DESCRIPTORS = [0x0800_fb00_0000_ffffn, 0x1000_f300_0000_ffffn];
/** The GDT as Linux lays it out, so that recorded selectors mean the same here. */
const DESCRIPTORS: Record<number, bigint> = {
  0x08: 0x00cf_9b00_0000_ffffn,
  0x10: 0x00af_9b00_0000_ffffn,
  0x18: 0x00cf_9300_0000_ffffn,
  0x20: 0x00cf_fb00_0000_ffffn,
  0x28: 0x00cf_f300_0000_ffffn,
  0x30: 0x00af_fb00_0000_ffffn,
};

const CR0 = 0x8005_0033n;
const CR4 = 0x5_0620n; // PAE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE
const XCR0 = 7n; // x87, SSE, AVX
const EFER = 0xd01n;

const PAGE_FAULT = 14;
const ERROR_FETCH = 0x10;
/** Exceptions that push an error code (SDM 3A 6.13). */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

export const platform: Platform = {
  readPort: () => 0xff,
  writePort: () => {},
  readTsc: () => 0n,
  random: () => {},
  readTaskPriority: () => 0,
  writeTaskPriority: () => {},
  setApicBase: () => {},
  pause: () => {},
  readX2apic: () => undefined,
  writeX2apic: () => false,
  readTscDeadline: () => 0n,
  writeTscDeadline: () => {},
};

/** XSAVEOPT, XSAVEC and XGETBV of components in use. */
const XSAVE_EXTENSIONS = 7;
export const model: CpuModel = {
  cpuid: (leaf, subleaf) => (leaf === 0xd && subleaf === 1 ? [XSAVE_EXTENSIONS, 0, 0, 0] : [0, 0, 0, 0]),
};

/** What the harness needs of a processor. */
export interface Processor {
  readonly state: CpuState;
  /** Guest physical memory. */
  readonly ram: Uint8Array;
  modeChanged(): void;
}

export class UserMode {
  readonly #cpu: Processor;
  readonly #view: DataView;
  readonly #x87: DataView;

  constructor(cpu: Processor) {
    this.#cpu = cpu;
    this.#view = new DataView(cpu.ram.buffer, cpu.ram.byteOffset);
    const state = cpu.state.bytes;
    this.#x87 = new DataView(state.buffer, state.byteOffset + X87_OFFSET, 8 * X87_STRIDE);
    this.#writeSystemTables();
  }

  /** The processor stands before the instruction. */
  prepare(mode: Mode, code: Uint8Array, input: TestState): void {
    const { ram } = this.#cpu;
    ram.fill(0xcc, CODE_PAGE, CODE_PAGE + 4096);
    ram.set(code, SLOT);
    ram.fill(0, DATA_PAGE, DATA_PAGE + WINDOW_OFFSET);
    ram.set(input.window, DATA_PAGE + WINDOW_OFFSET);
    this.#enterUserMode(mode);
    this.#writeState(mode, input);
  }

  /** What it has done; a fault if a gate has been entered. */
  outcome(): Outcome {
    const { state } = this.#cpu;
    if (state.getNumber(STATE.cpl) === 0) return this.#readFault();
    return { state: this.#readState(), rip: state.get(STATE.rip) };
  }

  // --- state ---------------------------------------------------------------------------------------------------------------

  #writeState(mode: Mode, input: TestState): void {
    const { state } = this.#cpu;
    input.general.forEach((value, n) => {
      state.setGeneral(n, value);
    });
    input.vector.forEach((value, n) => {
      state.setVector(n, value);
    });
    input.upper.forEach((value, n) => {
      state.setVectorUpper(n, value);
    });
    state.flags = input.flags;
    state.set(STATE.rip, slotOffset(mode));
    state.setNumber(STATE.mxcsr, input.mxcsr);
    const pending = input.x87Status & ~input.x87Control & 0x3f;
    state.setNumber(STATE.x87Control, input.x87Control);
    state.setNumber(STATE.x87Status, input.x87Status | (pending ? 0x8080 : 0));
    let tag = 0;
    for (let n = 0; n < 8; n++) if (((input.x87Tag >> n) & 1) === 0) tag |= 3 << (2 * n);
    state.setNumber(STATE.x87Tag, tag);
    const top = (input.x87Status >> 11) & 7;
    input.x87.forEach((value, n) => {
      const offset = ((top + n) & 7) * X87_STRIDE;
      this.#x87.setBigUint64(offset, BigInt.asUintN(64, value), true);
      this.#x87.setUint16(offset + 8, Number(value >> 64n), true);
    });
  }

  #readState(): TestState {
    const { state } = this.#cpu;
    const status = state.getNumber(STATE.x87Status);
    const tag = state.getNumber(STATE.x87Tag);
    let abridged = 0;
    for (let n = 0; n < 8; n++) if (((tag >> (2 * n)) & 3) !== 3) abridged |= 1 << n;
    const top = (status >> 11) & 7;
    return {
      general: Array.from({ length: 16 }, (_, n) => state.general(n)),
      flags: state.flags,
      vector: Array.from({ length: 16 }, (_, n) => state.vector(n)),
      upper: Array.from({ length: 16 }, (_, n) => state.vectorUpper(n)),
      mxcsr: state.getNumber(STATE.mxcsr),
      x87Control: state.getNumber(STATE.x87Control),
      x87Status: status,
      x87Tag: abridged,
      x87: Array.from({ length: 8 }, (_, n) => {
        const offset = ((top + n) & 7) * X87_STRIDE;
        return this.#x87.getBigUint64(offset, true) | (BigInt(this.#x87.getUint16(offset + 8, true)) << 64n);
      }),
      segments: Array.from({ length: 6 }, (_, n) => Number(state.segment(n, "selector"))),
      window: this.#cpu.ram.slice(DATA_PAGE + WINDOW_OFFSET, DATA_PAGE + 4096),
    };
  }

  /** The vCPU has just entered a gate: which one, and what the frame says about user mode. */
  #readFault(): Outcome {
    const { state } = this.#cpu;
    const vector = Number((state.get(STATE.rip) - HANDLERS) >> 4n);
    const hasErrorCode = WITH_ERROR_CODE.has(vector);
    let frame = Number(state.general(4));
    const errorCode = hasErrorCode ? Number(this.#view.getBigUint64(frame, true)) : 0;
    if (hasErrorCode) frame += 8;
    const after = this.#readState();
    after.flags = this.#view.getBigUint64(frame + 16, true);
    after.general[4] = this.#view.getBigUint64(frame + 24, true);
    after.segments[1] = this.#view.getUint16(frame + 8, true);
    after.segments[2] = this.#view.getUint16(frame + 32, true);
    const rip = this.#view.getBigUint64(frame, true);
    if (vector === PAGE_FAULT && errorCode & ERROR_FETCH) return { state: after, rip };
    const fault: Fault = { vector, errorCode, cr2: state.get(STATE.cr2) };
    return { state: after, rip, fault };
  }

  // --- the system around ---------------------------------------------------------------------------------------------------

  #enterUserMode(mode: Mode): void {
    const { state } = this.#cpu;
    const { code, data } = SEGMENTS_OF[mode];
    state.setNumber(STATE.halted, 0);
    state.set(STATE.cr0, CR0);
    state.set(STATE.cr2, 0n);
    state.set(STATE.cr3, BigInt(TABLES.pml4));
    state.set(STATE.cr4, CR4);
    state.set(STATE.xcr0, XCR0);
    state.set(STATE.efer, EFER);
    for (const segment of ["es", "ss", "ds"] as const) this.#setSegment(segment, data);
    for (const segment of ["fs", "gs"] as const) this.#setSegment(segment, NULL_SEGMENT);
    this.#setSegment("cs", code);
    // Like the process that ran the cases, only 16-bit code has an LDT.
    state.setNumber({ offset: STATE.ldtr.offset + 0x0c, type: "u16" }, mode === "16" ? LDT_PRESENT : 0);
    state.setNumber(STATE.cpl, 3);
    state.setNumber(STATE.interruptShadow, 0);
    this.#cpu.modeChanged();
  }

  #setSegment(name: "es" | "cs" | "ss" | "ds" | "fs" | "gs", setup: SegmentSetup): void {
    for (const part of ["selector", "base", "limit", "attributes"] as const) {
      this.#cpu.state.setSegment(name, part, setup[part]);
    }
  }

  #writeSystemTables(): void {
    const { state } = this.#cpu;
    const entry = (table: number, index: number, value: bigint): void =>
      this.#view.setBigUint64(table + index * 8, value, true);
    const all = PRESENT | WRITABLE | USER;
    entry(TABLES.pml4, 0, BigInt(TABLES.pdpt) | all);
    entry(TABLES.pdpt, 0, BigInt(TABLES.directory) | all);
    entry(TABLES.directory, 0, BigInt(TABLES.low) | all);
    entry(TABLES.directory, Number(CODE_ADDRESS >> 21n), BigInt(TABLES.code) | all);
    entry(TABLES.directory, Number(DATA_ADDRESS >> 21n), BigInt(TABLES.data) | all);
    for (let page = 0; page < 16; page++) entry(TABLES.low, page, BigInt(page << 12) | PRESENT | WRITABLE);
    entry(TABLES.code, 0, BigInt(CODE_PAGE) | all);
    entry(TABLES.data, 0, BigInt(DATA_PAGE) | all);

    for (const [selector, descriptor] of Object.entries(DESCRIPTORS)) entry(GDT, Number(selector) / 8, descriptor);
    state.set(STATE.gdtBase, BigInt(GDT));
    state.setNumber(STATE.gdtLimit, 0x7f);
    LDT_DESCRIPTORS.forEach((descriptor, n) => entry(LDT, n, descriptor));
    state.set(STATE.ldtr, BigInt(LDT));
    state.setNumber({ offset: STATE.ldtr.offset + 0x08, type: "u32" }, LDT_DESCRIPTORS.length * 8 - 1);
    for (let vector = 0; vector < 256; vector++) {
      const offset = HANDLERS + BigInt(vector * 16);
      const gate = vector === 3 || vector === 4 ? 0xeen : 0x8en;
      entry(IDT, vector * 2, (offset & 0xffffn) | (KERNEL_CS << 16n) | (gate << 40n) | ((offset >> 16n) << 48n));
    }
    this.#cpu.ram.fill(HLT, Number(HANDLERS), Number(HANDLERS) + 4096);
    state.set(STATE.idtBase, BigInt(IDT));
    state.setNumber(STATE.idtLimit, 0xfff);
    this.#view.setBigUint64(TSS + 4, BigInt(KERNEL_STACK), true);
    this.#view.setUint16(TSS + 0x66, 0x68, true); // no I/O permission bitmap
    state.set(STATE.tr, BigInt(TSS));
    state.setNumber({ offset: STATE.tr.offset + 0x08, type: "u32" }, 0x67);
    state.setNumber({ offset: STATE.tr.offset + 0x0c, type: "u16" }, 0x8b);
    state.setNumber({ offset: STATE.tr.offset + 0x0e, type: "u16" }, 0x40);
  }
}
