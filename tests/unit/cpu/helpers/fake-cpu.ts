// A CpuContext over 1 MiB of flat linear memory, without paging: what helpers need to be tested alone.
import {
  type AccessKind,
  type CpuContext,
  CpuException,
  type CpuModel,
  type LinearMemory,
  type Platform,
} from "../../../../native-core/cpu/context.ts";
import { CpuState } from "../../../../native-core/cpu/cpu-state.ts";
import { cpuModel } from "../../../../native-core/cpu/cpuid/models.ts";
import { HELPERS } from "../../../../native-core/cpu/helpers/registry.ts";
import { deriveMode } from "../../../../native-core/cpu/mode.ts";
import { resetCpu } from "../../../../native-core/cpu/reset.ts";
import { CR0, CR4, EFER } from "../../../../native-core/x86/registers.ts";
import { SEGMENTS, STATE, STATE_SIZE } from "../../../../native-core/x86/state-layout.ts";

const SIZE = 1 << 20;

class FlatMemory implements LinearMemory {
  readonly bytes = new Uint8Array(SIZE);
  readonly #view = new DataView(this.bytes.buffer);
  readonly flushes: boolean[] = [];
  readonly invalidated: bigint[] = [];

  #check(address: bigint, size: number, kind: AccessKind): number {
    if (address + BigInt(size) > BigInt(SIZE)) throw new CpuException(14, kind === "write" ? 2 : 0);
    return Number(address);
  }
  read(address: bigint, size: 1 | 2 | 4 | 8): bigint {
    const at = this.#check(address, size, "read");
    let value = 0n;
    for (let n = size - 1; n >= 0; n--) value = (value << 8n) | BigInt(this.#view.getUint8(at + n));
    return value;
  }
  write(address: bigint, size: 1 | 2 | 4 | 8, value: bigint): void {
    const at = this.#check(address, size, "write");
    for (let n = 0; n < size; n++) this.#view.setUint8(at + n, Number((value >> BigInt(8 * n)) & 0xffn));
  }
  readBytes(address: bigint, target: Uint8Array): void {
    this.#check(address, target.length, "read");
    target.set(this.bytes.subarray(Number(address), Number(address) + target.length));
  }
  writeBytes(address: bigint, source: Uint8Array): void {
    this.#check(address, source.length, "write");
    this.bytes.set(source, Number(address));
  }
  flush(keepGlobal: boolean): void {
    this.flushes.push(keepGlobal);
  }
  invalidatePage(address: bigint): void {
    this.invalidated.push(address);
  }
}

class FakePlatform implements Platform {
  tsc = 1000n;
  taskPriority = 0;
  readonly ports: string[] = [];
  readonly apicBases: bigint[] = [];
  readPort(port: number, size: number): number {
    this.ports.push(`in ${port} ${size}`);
    return 0xffff_ffff;
  }
  writePort(port: number, size: number, value: number): void {
    this.ports.push(`out ${port} ${size} ${value}`);
  }
  readTsc(): bigint {
    return this.tsc;
  }
  random(bytes: Uint8Array): void {
    bytes.fill(4);
  }
  readTaskPriority(): number {
    return this.taskPriority;
  }
  writeTaskPriority(value: number): void {
    this.taskPriority = value;
  }
  setApicBase(value: bigint): void {
    this.apicBases.push(value);
  }
  pause(): void {}
  deadline = 0n;
  readTscDeadline(): bigint {
    return this.deadline;
  }
  writeTscDeadline(value: bigint): void {
    this.deadline = value;
  }
  readX2apic(number: number): bigint | undefined {
    return number === 2 ? 7n : undefined;
  }
  writeX2apic(number: number): boolean {
    return number === 8;
  }
}

export class FakeCpu implements CpuContext {
  readonly state = new CpuState(new ArrayBuffer(STATE_SIZE));
  readonly memory = new FlatMemory();
  readonly platform = new FakePlatform();
  readonly model: CpuModel = cpuModel("baseline");
  halts = 0;

  constructor() {
    resetCpu(this.state);
    this.modeChanged();
  }
  modeChanged(): void {
    deriveMode(this.state);
  }
  debugChanges = 0;
  debugChanged(): void {
    this.debugChanges++;
  }
  watchPort(): void {}
  monitorLine(): void {}
  monitorWait(): void {}

  nmiUnblocked = 0;
  unblockNmi(): void {
    this.nmiUnblocked++;
  }

  halt(): void {
    this.halts++;
  }

  call(helper: string, ...args: (bigint | number)[]): bigint {
    const found = HELPERS[helper];
    if (!found) throw new Error(`no helper ${helper}`);
    return BigInt.asUintN(64, found(this, ...args.map((value) => BigInt.asUintN(64, BigInt(value)))));
  }

  /** The exception that a helper raises. */
  fault(helper: string, ...args: (bigint | number)[]): { vector: number; errorCode: number | undefined } {
    try {
      this.call(helper, ...args);
    } catch (error) {
      if (error instanceof CpuException) return { vector: error.vector, errorCode: error.errorCode };
      throw error;
    }
    throw new Error(`${helper} raised nothing`);
  }
}

export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x4000;

/** Selectors of the GDT that protected() and long() install. */
export const SELECTOR = {
  KERNEL_CODE: 0x08,
  KERNEL_DATA: 0x10,
  USER_CODE_32: 0x1b,
  USER_DATA: 0x23,
  USER_CODE: 0x2b,
  TSS: 0x30,
  ABSENT_DATA: 0x40,
  ABSENT_CODE: 0x48,
  CONFORMING: 0x50,
  READ_ONLY: 0x58,
  LDT: 0x60,
} as const;

const KERNEL_CODE_64 = 0x00af_9b00_0000_ffffn;
const KERNEL_CODE_32 = 0x00cf_9b00_0000_ffffn;
const DATA = 0x00cf_9200_0000_ffffn;
const USER = 0x6000_0000_0000n;
const PRESENT = 0x8000_0000_0000n;

function install(cpu: FakeCpu, long: boolean): void {
  const { memory, state } = cpu;
  const code = long ? KERNEL_CODE_64 : KERNEL_CODE_32;
  const entries = [
    0n,
    code,
    DATA,
    KERNEL_CODE_32 | USER,
    DATA | USER,
    code | USER,
    0x0000_8900_4000_0067n, // available TSS at 0x4000
    0n,
    DATA & ~PRESENT,
    code & ~PRESENT,
    code | 0x0400_0000_0000n,
    DATA & ~0x0200_0000_0000n,
    0x0000_8200_5000_00ffn, // LDT at 0x5000
    0n,
  ];
  entries.forEach((entry, n) => memory.write(BigInt(GDT + n * 8), 8, entry));
  state.set(STATE.gdtBase, BigInt(GDT));
  state.setNumber(STATE.gdtLimit, entries.length * 8 - 1);
  state.set(STATE.idtBase, BigInt(IDT));
  state.setNumber(STATE.idtLimit, 0xfff);
}

function segment(cpu: FakeCpu, name: (typeof SEGMENTS)[number], selector: number, attributes: number): void {
  cpu.state.setSegment(name, "selector", BigInt(selector));
  cpu.state.setSegment(name, "base", 0n);
  cpu.state.setSegment(name, "limit", 0xffff_ffffn);
  cpu.state.setSegment(name, "attributes", BigInt(attributes));
}

function enter(cpu: FakeCpu, long: boolean, cpl: 0 | 3): void {
  const dpl = cpl << 5;
  const user = cpl === 3;
  segment(cpu, "cs", user ? SELECTOR.USER_CODE : SELECTOR.KERNEL_CODE, (long ? 0xa09b : 0xc09b) | dpl);
  for (const name of ["ss", "ds", "es"] as const) {
    segment(cpu, name, user ? SELECTOR.USER_DATA : SELECTOR.KERNEL_DATA, 0xc093 | dpl);
  }
  cpu.state.setNumber(STATE.cpl, cpl);
  cpu.state.setGeneral(4, 0x8008n);
  cpu.modeChanged();
}

/** 64-bit mode at a privilege level. */
export function longCpu(cpl: 0 | 3 = 0): FakeCpu {
  const cpu = new FakeCpu();
  install(cpu, true);
  cpu.state.setNumber(STATE.cr0, (CR0.PE | CR0.ET | CR0.WP | CR0.PG) >>> 0);
  cpu.state.setNumber(STATE.cr4, CR4.PAE);
  cpu.state.setNumber(STATE.efer, EFER.LME | EFER.LMA | EFER.SCE | EFER.NXE);
  enter(cpu, true, 0);
  cpu.call("loadTask", SELECTOR.TSS);
  enter(cpu, true, cpl);
  return cpu;
}

/** 32-bit protected mode without paging at a privilege level. */
export function protectedCpu(cpl: 0 | 3 = 0): FakeCpu {
  const cpu = new FakeCpu();
  install(cpu, false);
  cpu.state.setNumber(STATE.cr0, CR0.PE | CR0.ET);
  enter(cpu, false, 0);
  cpu.call("loadTask", SELECTOR.TSS);
  enter(cpu, false, cpl);
  return cpu;
}

/** A gate of the IDT; `type` 14 = interrupt, 15 = trap. */
export function setGate(
  cpu: FakeCpu,
  vector: number,
  offset: bigint,
  options: { type?: number; dpl?: number; ist?: number; selector?: number; present?: boolean; long?: boolean } = {},
): void {
  const { type = 14, dpl = 0, ist = 0, selector = SELECTOR.KERNEL_CODE, present = true, long = true } = options;
  const attributes = BigInt((present ? 0x80 : 0) | (dpl << 5) | type);
  const low =
    (offset & 0xffffn) |
    (BigInt(selector) << 16n) |
    (BigInt(ist) << 32n) |
    (attributes << 40n) |
    (((offset >> 16n) & 0xffffn) << 48n);
  const address = BigInt(IDT + vector * (long ? 16 : 8));
  cpu.memory.write(address, 8, low);
  if (long) cpu.memory.write(address + 8n, 8, offset >> 32n);
}

/** Values of `size` bytes from the top of the stack. */
export function stackOf(cpu: FakeCpu, count: number, size: 2 | 4 | 8 = 8): bigint[] {
  const top = cpu.state.general(4);
  return Array.from({ length: count }, (_, n) => cpu.memory.read(top + BigInt(n * size), size));
}
