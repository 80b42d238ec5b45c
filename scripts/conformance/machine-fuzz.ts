// Random code on a whole machine: random bytes and random instructions in every mode and at both ends of privilege, with descriptor
// tables, page tables, ports and MMIO in reach. A program is determined by its seed; nothing but the machine's own memory may suffer.
//
//   0x01000  PML4, PDPT, page directories: the first 64 MiB and the top GiB mapped to themselves, for everybody
//   0x05000  page directory of 32-bit paging: all 4 GiB mapped to themselves
//   0x08000  IDT    0x09000  GDT    0x0a000  TSS    0x0b000  handlers
//   0x10000  code   0x20000  data   0x30000  stacks
import { DEFAULT_JIT_OPTIONS, type JitOptions } from "../../native-core/cpu/jit/jit.ts";
import { ACTIVITY } from "../../native-core/cpu/reset.ts";
import type { BlockBackend } from "../../native-core/devices/block-backend.ts";
import { setUpBoard } from "../../native-core/firmware/board-setup.ts";
import { createMachine, type Machine, type Slice } from "../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { RFLAGS } from "../../native-core/x86/registers.ts";
import { ROWS } from "../../native-core/x86/rows.ts";
import { STATE } from "../../native-core/x86/state-layout.ts";
import { Random } from "./random.ts";

const MEMORY_BYTES = 64 << 20;
const PML4 = 0x1000;
const PDPT = 0x2000;
const PD_LOW = 0x3000;
const PD_HIGH = 0x4000;
const PD_32 = 0x5000;
const IDT = 0x8000;
const GDT = 0x9000;
const TSS = 0xa000;
const TASK = 0xa800;
const HANDLERS = 0xb000;
const CODE = 0x1_0000;
const DATA = 0x2_0000;
const STACK = 0x3_8000;

export const PROGRAMS_PER_MACHINE = 40;
const SLICES = 5;
const SLICE_NS = 4_000n;
const EAGER: JitOptions = { ...DEFAULT_JIT_OPTIONS, threshold: 3, batch: 1 };

export const FUZZ_MODES = [
  "real",
  "unreal",
  "virtual-8086",
  "16-bit",
  "32-bit",
  "32-bit paged",
  "32-bit PAE",
  "compatibility",
  "64-bit",
] as const;
type FuzzMode = (typeof FUZZ_MODES)[number];

const SELECTOR = {
  code64: 0x08,
  data: 0x10,
  code32: 0x18,
  code16: 0x20,
  data16: 0x28,
  ldt: 0x30,
  tss: 0x38,
  task: 0x80,
} as const;
const USER_OFFSET = 0x40;
const ATTRIBUTES: Readonly<Record<string, number>> = {
  code64: 0xaf9b,
  data: 0xcf93,
  code32: 0xcf9b,
  code16: 0x009b,
  data16: 0x0093,
};

const isLong = (mode: FuzzMode): boolean => mode === "64-bit" || mode === "compatibility";
const isRealMode = (mode: FuzzMode): boolean => mode === "real" || mode === "unreal";

/** What may be on in CR4 beside what every mode needs: VME, PVI, TSD, DE, MCE, UMIP, FSGSBASE, OSXSAVE, SMEP, SMAP. */
const CR4_CHOICES = [0x1, 0x2, 0x4, 0x8, 0x40, 0x800, 0x1_0000, 0x4_0000, 0x4_0000, 0x10_0000, 0x20_0000] as const;

/** Registers of devices that react, beside whatever the random numbers hit. */
const PORTS = [
  ...[0x20, 0x21, 0xa0, 0xa1, 0x40, 0x43, 0x61, 0x60, 0x64, 0x70, 0x71, 0x92, 0xcf8, 0xcfc, 0x600, 0x604, 0x3f8, 0x3c0],
  ...[0x3c4, 0x3ce, 0x3d4, 0x1ce, 0x1cf, 0x510, 0x511, 0x514, 0x1f0, 0x1f7, 0xc000, 0xc040],
];
const WINDOWS = [0xfee00000n, 0xfec00000n, 0xa0000n, 0xb8000n, 0xc0000000n, 0xc1000000n, 0xfffffff0n];

export interface FuzzOutcome {
  readonly programs: number;
  /** How slices ended. */
  readonly ends: Readonly<Record<string, number>>;
  /** How many programs ran in each mode, and how many with each kind of processor. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Longest slice in milliseconds of the host's processor, and the program it was of. */
  readonly longestMs: number;
  readonly longestProgram: string;
}

/** Makes machines and runs programs on them: `run(seed)` is the same each time. */
export class MachineFuzz {
  readonly #module: WebAssembly.Module;

  constructor(module: WebAssembly.Module) {
    this.#module = module;
  }

  /** A machine of its own and PROGRAMS_PER_MACHINE programs on it. Throws what the machine throws. */
  run(seed: string, onProgram: (program: number, mode: FuzzMode) => void = () => {}): FuzzOutcome {
    const random = new Random(seed);
    const { machine, kind } = build(this.#module, random);
    const ends: Record<string, number> = {};
    const kinds: Record<string, number> = { [kind]: PROGRAMS_PER_MACHINE };
    let longestMs = 0;
    let longestProgram = "";
    for (let program = 0; program < PROGRAMS_PER_MACHINE; program++) {
      const mode = random.pick(FUZZ_MODES);
      onProgram(program, mode);
      kinds[mode] = (kinds[mode] ?? 0) + 1;
      machine.reset();
      for (const vcpu of machine.vcpus) prepare(machine, vcpu, mode, random);
      machine.resume();
      for (let slice = 0; slice < SLICES; slice++) {
        const started = process.threadCpuUsage();
        const { state } = runSlice(machine, random);
        const { user, system } = process.threadCpuUsage(started);
        const ms = (user + system) / 1000;
        if (ms > longestMs) {
          longestMs = ms;
          longestProgram = `seed ${seed}, program ${program}, ${mode}, slice ${slice}`;
        }
        ends[state] = (ends[state] ?? 0) + 1;
        if (state === "shutdown" || state === "poweroff" || state === "reset") break;
      }
      machine.pause();
      // What such a machine saves, it must be able to take back.
      if (random.chance(10)) machine.restore(structuredClone(machine.save()));
    }
    machine.dispose();
    return { programs: PROGRAMS_PER_MACHINE, ends, kinds, longestMs, longestProgram };
  }
}

const TIERS: Readonly<Record<string, "off" | JitOptions>> = {
  interpreted: "off",
  "compiled at once": EAGER,
  compiled: DEFAULT_JIT_OPTIONS,
};

function build(module: WebAssembly.Module, random: Random): { readonly machine: Machine; readonly kind: string } {
  const sink = { write: () => {} };
  const tier = random.pick(Object.keys(TIERS));
  const jit = TIERS[tier] as "off" | JitOptions;
  const model = random.pick(["baseline", "x86-64-v2", "x86-64-v3", "max"] as const);
  const machine = createMachine({
    memoryBytes: MEMORY_BYTES,
    vcpuCount: random.pick([1, 1, 2, 3]),
    createProcessor: (options) => coreProcessor(module, jit)({ ...options, model }),
    firmware: { start: (target) => void setUpBoard(target) },
    serial: [sink, sink],
    video: {},
    disks: [{ id: "disk0", backend: emptyDisk(1 << 20) }],
  });
  machine.powerOn();
  return { machine, kind: `${model}, ${tier}` };
}

/** Reads as zeros and forgets what is written. */
const emptyDisk = (sizeBytes: number): BlockBackend => ({
  sizeBytes,
  readOnly: false,
  read: async (_offset, target) => void target.fill(0),
  write: async () => {},
  flush: async () => {},
  discard: async () => {},
  writeZeroes: async () => {},
});

function runSlice(machine: Machine, random: Random): Slice {
  if (random.chance(20)) machine.post({ kind: "key", key: random.below(0x200), down: random.chance(50) });
  if (random.chance(10)) machine.post({ kind: "serial", port: 0, bytes: Uint8Array.of(random.below(256)) });
  if (random.chance(5)) machine.powerButton();
  return machine.runSlice(SLICE_NS);
}

// --- programs -------------------------------------------------------------------------------------------------------------------

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

/** An instruction of the table with random operands; what follows it in memory completes it. */
function randomInstruction(random: Random, long: boolean): number[] {
  const row = random.pick(ROWS);
  const bytes: number[] = [];
  if (random.chance(15)) bytes.push(random.pick([0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x36, 0x64, 0x65]));
  const opcode: number[] = [];
  let extension: number | undefined;
  for (const word of row.opcode.split(" ")) {
    if (word.startsWith("/")) extension = Number(word.slice(1));
    else if (/^[0-9A-F]{2}/.test(word))
      opcode.push(Number.parseInt(word, 16) + (word.endsWith("+r") ? random.below(8) : 0));
  }
  if (row.opcode.startsWith("VEX"))
    bytes.push(...random.pick([[0xc5], [0xc4, 0xe0 | random.below(4)]]), random.below(256));
  else if (opcode.length > 1 && [0x66, 0xf2, 0xf3].includes(opcode[0] as number)) bytes.push(opcode.shift() as number);
  if (long && random.chance(50)) bytes.push(0x40 | random.below(16));
  bytes.push(...opcode);
  const register = extension ?? random.below(8);
  // Registers, or [RBX], [RSI], [RDI] with a small displacement, or anything.
  const modRm = random.pick([
    0xc0 | random.below(8),
    0x40 | random.pick([3, 6, 7]),
    random.pick([3, 6, 7]),
    random.below(256) & 0xc7,
  ]);
  if (row.operands !== "" || extension !== undefined) bytes.push((modRm & 0xc7) | (register << 3));
  for (let n = random.below(6); n > 0; n--) bytes.push(random.pick([0, 0, 0xff, random.below(256)]));
  return bytes;
}

function randomCode(random: Random, long: boolean): Uint8Array {
  if (random.chance(25)) return randomBytes(random, 96);
  const bytes: number[] = [];
  while (bytes.length < 160) bytes.push(...randomInstruction(random, long));
  // Often a loop, so that the same instructions run again and are compiled.
  if (random.chance(60)) bytes.push(0xeb, 0x80);
  return Uint8Array.from(bytes);
}

function randomValue(random: Random): bigint {
  switch (random.below(8)) {
    case 0:
      return BigInt(random.pick(PORTS));
    case 1:
      return random.pick(WINDOWS) + BigInt(random.below(0x400) & ~3);
    case 2:
      return BigInt(CODE + random.below(256));
    case 3:
      return random.bits64();
    case 4:
      return BigInt(random.pick([0, 1, 2, 0x80, 0xff, 0xffff, 0xc0000080, 0x277, 0x1b, 0x80e, 0x6e0]));
    case 5:
      return BigInt(random.pick([IDT, GDT, TSS, PML4, PD_LOW, STACK]) + random.below(64) * 8);
    default:
      return BigInt(DATA + random.below(0x1000));
  }
}

// --- the state before -------------------------------------------------------------------------------------------------------------

function descriptor(attributes: number, base = 0, limit = 0xfffff): bigint {
  const low = BigInt(limit & 0xffff) | (BigInt(base & 0xff_ffff) << 16n);
  const flags = (attributes & 0xf0ff) | ((limit >> 8) & 0x0f00);
  return low | (BigInt(flags) << 40n) | (BigInt(base >>> 24) << 56n);
}

function quadwords(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 8);
  const view = new DataView(bytes.buffer);
  values.forEach((value, n) => {
    view.setBigUint64(n * 8, value, true);
  });
  return bytes;
}

function writeTables(machine: Machine, long: boolean, random: Random): void {
  const { memory } = machine;
  const largePages = (base: number) =>
    quadwords(Array.from({ length: 512 }, (_, n) => (BigInt(base) + (BigInt(n) << 21n)) | 0xe7n));
  memory.write(PML4, quadwords([BigInt(PDPT) | 7n]));
  memory.write(PDPT, quadwords([BigInt(PD_LOW) | 7n, 0n, 0n, BigInt(PD_HIGH) | 7n]));
  memory.write(PD_LOW, largePages(0));
  memory.write(PD_HIGH, largePages(0xc000_0000));
  const largePages32 = Array.from({ length: 512 }, (_, n) => {
    const page = (half: number): bigint => (BigInt(2 * n + half) << 22n) | 0xe7n;
    return page(0) | (page(1) << 32n);
  });
  memory.write(PD_32, quadwords(largePages32));
  const table: bigint[] = [0n];
  for (const name of ["code64", "data", "code32", "code16", "data16"])
    table.push(descriptor(ATTRIBUTES[name] as number));
  table.push(descriptor(0x0082, DATA, 0xfff), descriptor(0x008b, TSS, 0x7ff), 0n);
  for (const name of ["code64", "data", "code32", "code16", "data16"])
    table.push(descriptor((ATTRIBUTES[name] as number) | 0x60));
  while (table.length < SELECTOR.task / 8) table.push(0n);
  table.push(descriptor(0x00e9, TASK, 0x67));
  memory.write(GDT, quadwords(table));
  // A TSS that serves both formats: ring 0 stacks, no I/O map unless chance wants one.
  memory.write(TSS, new Uint8Array(0x800));
  memory.writeU32(TSS + 4, STACK + 0x1000);
  memory.writeU32(TSS + 8, long ? 0 : SELECTOR.data);
  memory.writeU16(TSS + 0x66, random.pick([0x68, 0xffff]));
  writeTask(machine, random);
  const gates: bigint[] = [];
  for (let vector = 0; vector < 256; vector++) {
    const handler = BigInt(HANDLERS + (vector & 31) * 16);
    const selector = BigInt(long ? SELECTOR.code64 : SELECTOR.code32);
    const attributes = random.pick([0x8en, 0x8fn, 0xeen, 0xefn]);
    gates.push((handler & 0xffffn) | (selector << 16n) | (attributes << 40n));
    if (long) gates.push(0n);
    else if (random.chance(3)) gates[vector] = 0x8500_0000_0000n | (BigInt(SELECTOR.task) << 16n);
  }
  memory.write(IDT, quadwords(gates));
  for (let vector = 0; vector < 32; vector++) {
    // Return, halt, skip a byte and return, or anything.
    const handler = random.pick([
      [0x48, 0xcf],
      [0xcf],
      [0xf4],
      [0x48, 0x83, 0x04, 0x24, 0x01, 0x48, 0xcf],
      [...randomBytes(random, 8)],
    ]);
    memory.write(HANDLERS + vector * 16, Uint8Array.from(handler));
  }
}

/** A task to switch to, whose trap bit may be set. */
function writeTask(machine: Machine, random: Random): void {
  const { memory } = machine;
  memory.write(TASK, new Uint8Array(0x68));
  memory.writeU32(TASK + 0x1c, PD_32);
  memory.writeU32(TASK + 0x20, HANDLERS + random.below(32) * 16);
  memory.writeU32(TASK + 0x24, 2 | (random.chance(20) ? RFLAGS.VM : 0));
  memory.writeU32(TASK + 0x38, STACK);
  for (let n = 0; n < 6; n++) memory.writeU32(TASK + 0x48 + n * 4, n === 1 ? SELECTOR.code32 : SELECTOR.data);
  memory.writeU16(TASK + 0x64, random.below(2));
}

function prepare(machine: Machine, vcpu: Machine["vcpus"][number], mode: FuzzMode, random: Random): void {
  const { state } = vcpu;
  const { memory } = machine;
  const long = isLong(mode);
  const user = mode === "virtual-8086" || (!isRealMode(mode) && random.chance(50));
  if (vcpu === machine.vcpu) writeTables(machine, long, random);
  memory.write(DATA, randomBytes(random, 0x400));
  memory.write(CODE, randomCode(random, mode === "64-bit"));
  for (let n = 0; n < 16; n++) state.setGeneral(n, randomValue(random));
  for (const n of [3, 6, 7]) if (random.chance(70)) state.setGeneral(n, BigInt(DATA + random.below(0x800)));
  state.setGeneral(1, BigInt(random.below(64)));
  if (random.chance(80)) state.setGeneral(4, BigInt(isRealMode(mode) || mode === "virtual-8086" ? 0x8000 : STACK));
  for (let n = 0; n < 16; n++) state.setVector(n, (random.bits64() << 64n) | random.bits64());
  // A vCPU that was waiting for a start-up IPI runs as well.
  state.setNumber(STATE.halted, ACTIVITY.runs);
  const flags =
    random.bits32() & (0x8d5 | RFLAGS.IF | RFLAGS.DF | (random.chance(5) ? RFLAGS.TF : 0) | RFLAGS.IOPL | RFLAGS.AC);
  const virtual = random.pick([0, 0, RFLAGS.VIF, RFLAGS.VIP]);
  const trueFlags = virtual | (mode === "virtual-8086" ? flags | RFLAGS.VM : flags);
  state.flags = BigInt(trueFlags | 2);
  if (isRealMode(mode)) {
    for (const segment of ["cs", "ss", "ds", "es", "fs", "gs"] as const) {
      const selector =
        segment === "cs" ? CODE >> 4 : segment === "ss" ? 0x3000 : random.pick([DATA >> 4, 0xb800, 0xffff, 0]);
      state.setSegment(segment, "selector", BigInt(selector));
      state.setSegment(segment, "base", BigInt(selector << 4));
      if (mode === "unreal") state.setSegment(segment, "limit", 0xffff_ffffn);
    }
    state.set(STATE.rip, 0n);
  } else {
    enterProtection(vcpu, mode, user, random);
  }
  armBreakpoints(vcpu, random);
  vcpu.invalidateAll();
}

/** Now and then a breakpoint on data or a port; one on instructions makes everything slow. */
function armBreakpoints({ state }: Machine["vcpus"][number], random: Random): void {
  if (!random.chance(10)) return;
  state.set(STATE.dr0, random.chance(70) ? BigInt(DATA + random.below(0x400)) : randomValue(random));
  const condition = random.pick([0, 1, 1, 2, 3, 3]);
  state.set(STATE.dr7, BigInt(0x402 | (condition << 16) | (random.below(4) << 18)));
}

function enterProtection(vcpu: Machine["vcpus"][number], mode: FuzzMode, user: boolean, random: Random): void {
  const { state } = vcpu;
  const long = isLong(mode);
  const pae = mode === "32-bit PAE" || (mode === "virtual-8086" && random.chance(50));
  const paged = long || pae || mode === "32-bit paged";
  const offset = user ? USER_OFFSET : 0;
  const rpl = user ? 3 : 0;
  const code = mode === "64-bit" ? "code64" : mode === "16-bit" ? "code16" : "code32";
  state.set(STATE.cr3, BigInt(long ? PML4 : pae ? PDPT : PD_32));
  const extensions = CR4_CHOICES.reduce((bits: number, bit) => bits | (random.chance(30) ? bit : 0), 0);
  // SMAP and SMEP close the only mapping there is to CPL 0: not too often.
  const closing = random.chance(20) ? 0 : 0x30_0000;
  state.set(STATE.cr4, BigInt(0x690 | (long || pae ? 0x20 : 0) | (extensions & ~closing)));
  if (random.chance(70)) state.set(STATE.xcr0, 7n);
  state.set(STATE.efer, long ? 0xd01n : 0x801n);
  // Not with a PDPT of PAE paging whose entries have bits that are reserved there.
  if (pae) for (const n of [0, 3]) vcpuMemory(vcpu, PDPT + n * 8, BigInt(n === 0 ? PD_LOW : PD_HIGH) | 1n);
  state.set(STATE.cr0, BigInt(0x33) | (paged ? 0x8001_0000n : 0n));
  state.set(STATE.gdtBase, BigInt(GDT));
  state.setNumber(STATE.gdtLimit, 0x87);
  state.set(STATE.idtBase, BigInt(IDT));
  state.setNumber(STATE.idtLimit, 0xfff);
  const task = STATE.tr.offset;
  state.set(STATE.tr, BigInt(TSS));
  state.setNumber({ offset: task + 8, type: "u32" }, 0x7ff);
  state.setNumber({ offset: task + 12, type: "u16" }, 0x8b);
  state.setNumber({ offset: task + 14, type: "u16" }, SELECTOR.tss);
  for (const segment of ["cs", "ss", "ds", "es", "fs", "gs"] as const) {
    if (mode === "virtual-8086") {
      const selector =
        segment === "cs" ? CODE >> 4 : segment === "ss" ? 0x3000 : random.pick([DATA >> 4, 0xb800, 0xffff, 0]);
      state.setSegment(segment, "selector", BigInt(selector));
      state.setSegment(segment, "base", BigInt(selector << 4));
      state.setSegment(segment, "limit", 0xffffn);
      state.setSegment(segment, "attributes", 0xf3n);
      continue;
    }
    const name = segment === "cs" ? code : mode === "16-bit" && random.chance(50) ? "data16" : "data";
    state.setSegment(segment, "selector", BigInt((SELECTOR[name] + offset) | rpl));
    state.setSegment(segment, "base", 0n);
    state.setSegment(segment, "limit", (ATTRIBUTES[name] as number) & 0x8000 ? 0xffff_ffffn : 0xfffffn);
    state.setSegment(segment, "attributes", BigInt((ATTRIBUTES[name] as number) | (rpl << 5)));
  }
  state.setNumber(STATE.cpl, rpl);
  state.set(STATE.rip, mode === "virtual-8086" ? 0n : BigInt(CODE));
}

/** `vcpu` gives access to guest memory in the machine's processor. */
function vcpuMemory(vcpu: Machine["vcpus"][number], address: number, value: bigint): void {
  (vcpu as CoreProcessor["vcpus"][number]).ram.writeU64(address, value);
}
