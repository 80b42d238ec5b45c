// RDMSR and WRMSR (SDM 4; for C001_xxxx the AMD BKDG of family 0Fh). One table; an unknown register raises #GP(0).
import type { StateSlot } from "../../ir/nodes.ts";
import { CR0, CR4, EFER, VECTOR } from "../../x86/registers.ts";
import { SEGMENT_FIELDS, STATE, segmentOffset } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import { isCanonical, privilegeLevel } from "./mode.ts";

interface Msr {
  readonly read: (cpu: CpuContext) => bigint;
  readonly write: (cpu: CpuContext, value: bigint) => void;
}

const fault = (): CpuException => new CpuException(VECTOR.GP, 0);

/** A register that holds what was written, within `mask`. */
function stored(slot: StateSlot, mask = -1n): Msr {
  return {
    read: ({ state }) => state.get(slot),
    write: ({ state }, value) => {
      if (value & ~mask & 0xffff_ffff_ffff_ffffn) throw fault();
      state.set(slot, value);
    },
  };
}

/** A linear address. */
function address(slot: StateSlot): Msr {
  return {
    read: ({ state }) => state.get(slot),
    write: ({ state }, value) => {
      if (!isCanonical(value)) throw fault();
      state.set(slot, value);
    },
  };
}

/** Reads as a constant, ignores writes: registers that drivers poke without a feature bit. */
function constant(value: bigint): Msr {
  return { read: () => value, write: () => {} };
}

function readOnly(value: bigint): Msr {
  return {
    read: () => value,
    write: () => {
      throw fault();
    },
  };
}

const segmentBase = (name: "fs" | "gs"): StateSlot => ({
  offset: segmentOffset(name) + SEGMENT_FIELDS.base.offset,
  type: "u64",
});

const EFER_WRITABLE = BigInt(EFER.SCE | EFER.LME | EFER.NXE);

/** Without effect, but there where CPUID says so: leaf 8000_0021h. */
const writableEfer = ({ model }: CpuContext): bigint =>
  model.cpuid(0x8000_0021, 0)[0] & 0x100 ? EFER_WRITABLE | BigInt(EFER.AIBRSE) : EFER_WRITABLE;

const efer: Msr = {
  read: ({ state }) => state.get(STATE.efer),
  write: (cpu, value) => {
    const { state } = cpu;
    const old = state.get(STATE.efer);
    const writable = writableEfer(cpu);
    if (value & ~(writable | BigInt(EFER.LMA))) throw fault();
    const lmeChanges = ((old ^ value) & BigInt(EFER.LME)) !== 0n;
    if (lmeChanges && state.getNumber(STATE.cr0) & CR0.PG) throw fault();
    state.set(STATE.efer, (value & writable) | (old & BigInt(EFER.LMA)));
    if ((old ^ value) & BigInt(EFER.NXE)) cpu.memory.flush(false);
    cpu.modeChanged();
  },
};

/** The counter is the platform's plus an offset, so that a write moves the offset. */
const timeStampCounter: Msr = {
  read: (cpu) => readCounter(cpu),
  write: (cpu, value) => setCounter(cpu, value - cpu.platform.readTsc()),
};

/** A deadline stays where it is on the counter's scale. */
function setCounter(cpu: CpuContext, offset: bigint): void {
  const deadline = readDeadline(cpu);
  cpu.state.set(STATE.tscOffset, offset);
  cpu.platform.clockRegisters?.counterMoved();
  if (deadline !== 0n) writeDeadline(cpu, deadline);
}

/** What has been added to the counter since reset by writing it. */
const timeStampAdjust: Msr = {
  read: ({ state }) => state.get(STATE.tscOffset),
  write: (cpu, value) => setCounter(cpu, value),
};

const timeStampDeadline: Msr = { read: readDeadline, write: writeDeadline };

function readDeadline({ state, platform }: CpuContext): bigint {
  const deadline = platform.readTscDeadline();
  return deadline === 0n ? 0n : BigInt.asUintN(64, deadline + state.get(STATE.tscOffset));
}

/** One in the past is due at once; 0, which disarms, is never meant by any other. */
function writeDeadline({ state, platform }: CpuContext, value: bigint): void {
  const deadline = BigInt.asIntN(64, value - state.get(STATE.tscOffset));
  const latest = 1n << 62n;
  platform.writeTscDeadline(value === 0n ? 0n : deadline < 1n ? 1n : deadline > latest ? latest : deadline);
}

function readCounter({ state, platform }: CpuContext): bigint {
  return BigInt.asUintN(64, platform.readTsc() + state.get(STATE.tscOffset));
}

const APIC_BASE_WRITABLE = 0xff_ffff_f000n | 0xd00n;
/** BSP, set at reset; x2APIC mode; enabled. */
const APIC_BASE_BSP = 0x100n;
const APIC_BASE_EXTENDED = 0x400n;
const APIC_BASE_ENABLED = 0x800n;

const apicBase: Msr = {
  read: ({ state }) => state.get(STATE.apicBase),
  write: (cpu, value) => {
    if (value & ~APIC_BASE_WRITABLE) throw fault();
    const old = cpu.state.get(STATE.apicBase);
    const next = (value & ~APIC_BASE_BSP) | (old & APIC_BASE_BSP);
    const mode = (base: bigint): bigint => base & (APIC_BASE_ENABLED | APIC_BASE_EXTENDED);
    // Off, xAPIC, x2APIC: one step forward at a time, back only to off (SDM 3A figure 10-27).
    if (mode(next) === APIC_BASE_EXTENDED) throw fault();
    if (mode(old) === 0n && next & APIC_BASE_EXTENDED) throw fault();
    if (old & APIC_BASE_EXTENDED && mode(next) === APIC_BASE_ENABLED) throw fault();
    cpu.state.set(STATE.apicBase, next);
    cpu.platform.setApicBase(next);
  },
};

/** Memory types 2, 3 and above 7 are reserved (SDM 3A table 12-10). */
const pat: Msr = {
  read: ({ state }) => state.get(STATE.pat),
  write: ({ state }, value) => {
    for (let n = 0n; n < 64n; n += 8n) {
      const type = (value >> n) & 0xffn;
      if (type > 7n || type === 2n || type === 3n) throw fault();
    }
    state.set(STATE.pat, value);
  },
};

const element = (slot: StateSlot, n: number): StateSlot => ({ offset: slot.offset + n * 8, type: "u64" });

/** Banks of machine check registers, and IA32_MCG_CTL. The hardware never fails: they are there because guests expect them. */
const MACHINE_CHECK_BANKS = 6;
const MCG_CAPABILITIES = BigInt(MACHINE_CHECK_BANKS) | 0x100n;

/** What CTL of a bank takes: none or all of its errors; bit 10 may be off, which Linux wants on processors of this family. */
const BANK_CONTROLS = [0n, (1n << 64n) - 1n, (1n << 64n) - 1n - (1n << 10n)];

/** STATUS reports errors, which there are none of, and takes only zero; ADDR and MISC hold what is written. */
function machineCheckBank(n: number): [number, Msr][] {
  const first = 0x400 + n * 4;
  const slot = (index: number): StateSlot => element(STATE.machineCheckBanks, n * 3 + index);
  const control: Msr = {
    ...stored(slot(0)),
    write: ({ state }, value) => {
      if (!BANK_CONTROLS.includes(value)) throw fault();
      state.set(slot(0), value);
    },
  };
  const status: Msr = {
    read: () => 0n,
    write: (_cpu, value) => {
      if (value !== 0n) throw fault();
    },
  };
  return [
    [first, control],
    [first + 1, status],
    [first + 2, stored(slot(1))],
    [first + 3, stored(slot(2))],
  ];
}

/** Eight variable ranges, fixed ranges and write-combining. */
const MTRR_CAPABILITIES = 0x508n;
const VARIABLE_MTRRS = 16;
/** MTRRfix64K_00000, fix16K_80000, fix16K_A0000, fix4K_C0000 .. fix4K_F8000. */
const FIXED_MTRRS = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];

/** IA32_XSS: there are no components that only XSAVES knows. */
const extendedSupervisorState: Msr = {
  read: (cpu) => {
    requireXsaves(cpu);
    return 0n;
  },
  write: (cpu, value) => {
    requireXsaves(cpu);
    if (value !== 0n) throw fault();
  },
};

/** CPUID leaf 0Dh, subleaf 1. */
function requireXsaves({ model }: CpuContext): void {
  if (!(model.cpuid(0xd, 1)[0] & 8)) throw fault();
}

const MSRS = new Map<number, Msr>([
  [0x10, timeStampCounter],
  [0x1b, apicBase],
  [0x3b, timeStampAdjust],
  [0x8b, constant(0n)], // IA32_BIOS_SIGN_ID: no microcode patch
  [0x6e0, timeStampDeadline],
  [0xfe, readOnly(MTRR_CAPABILITIES)],
  [0x174, stored(STATE.sysenterCs, 0xffff_ffffn)],
  [0x175, address(STATE.sysenterEsp)],
  [0x176, address(STATE.sysenterEip)],
  [0x179, readOnly(MCG_CAPABILITIES)],
  [0x17a, stored(STATE.mcgStatus, 7n)],
  [0x17b, stored(STATE.mcgControl)],
  ...Array.from({ length: MACHINE_CHECK_BANKS }, (_, n) => machineCheckBank(n)).flat(),
  [0x1a0, stored(STATE.miscEnable)],
  [0x1d9, constant(0n)], // IA32_DEBUGCTL
  [0x277, pat],
  [0xda0, extendedSupervisorState],
  [0x2ff, stored(STATE.mtrrDefaultType, 0xcffn)],
  [0xc000_0080, efer],
  [0xc000_0081, stored(STATE.star)],
  [0xc000_0082, address(STATE.lstar)],
  [0xc000_0083, address(STATE.cstar)],
  [0xc000_0084, stored(STATE.fmask, 0xffff_ffffn)],
  [0xc000_0100, address(segmentBase("fs"))],
  [0xc000_0101, address(segmentBase("gs"))],
  [0xc000_0102, address(STATE.kernelGsBase)],
  [0xc000_0103, stored(STATE.tscAux, 0xffff_ffffn)],
  // AMD family 0Fh: what Linux reads or sets without asking CPUID.
  ...Array.from({ length: 8 }, (_, n): [number, Msr] => [0xc001_0000 + n, constant(0n)]), // event counters, which count nothing
  [0xc001_0010, constant(0n)], // SYSCFG
  [0xc001_0015, constant(0n)], // HWCR
  [0xc001_001a, constant(0n)], // TOP_MEM
  [0xc001_001d, constant(0n)], // TOP_MEM2
  [0xc001_001f, constant(0n)], // NB_CFG
  [0xc001_0055, constant(0n)], // INTERRUPT PENDING: no C1E
  ...Array.from({ length: VARIABLE_MTRRS }, (_, n): [number, Msr] => [
    0x200 + n,
    stored(element(STATE.mtrrVariable, n)),
  ]),
  ...FIXED_MTRRS.map((number, n): [number, Msr] => [number, stored(element(STATE.mtrrFixed, n))]),
]);

const X2APIC_FIRST = 0x800;
const X2APIC_LAST = 0x8ff;
/** Where KVM has the registers of its paravirtual devices: "KVM" and a number. */
const KVM_FIRST = 0x4b56_4d00;
const KVM_LAST = 0x4b56_4dff;

function find(numberOperand: bigint | undefined): Msr {
  const number = Number(numberOperand);
  const msr =
    number >= X2APIC_FIRST && number <= X2APIC_LAST
      ? x2apic(number - X2APIC_FIRST)
      : number >= KVM_FIRST && number <= KVM_LAST
        ? clockRegister(number)
        : MSRS.get(number);
  if (!msr) throw fault();
  return msr;
}

function clockRegister(number: number): Msr {
  return {
    read: ({ platform }) => {
      const value = platform.clockRegisters?.read(number);
      if (value === undefined) throw fault();
      return value;
    },
    write: ({ platform }, value) => {
      if (!platform.clockRegisters?.write(number, value)) throw fault();
    },
  };
}

function x2apic(number: number): Msr {
  return {
    read: ({ platform }) => {
      const value = platform.readX2apic(number);
      if (value === undefined) throw fault();
      return value;
    },
    write: ({ platform }, value) => {
      if (!platform.writeX2apic(number, value)) throw fault();
    },
  };
}

export const MSR_HELPERS: Record<string, Helper> = {
  /** (number) -> value */
  readMsr: (cpu, number) => {
    const msr = find(number);
    return msr.read(cpu);
  },
  /** (number, value) */
  writeMsr: (cpu, number, value) => {
    const msr = find(number);
    msr.write(cpu, BigInt.asUintN(64, value ?? 0n));
    return 0n;
  },
  /** RDTSC: CR4.TSD reserves it to CPL 0. */
  readTsc: (cpu) => {
    if (cpu.state.getNumber(STATE.cr4) & CR4.TSD && privilegeLevel(cpu) > 0) throw fault();
    return readCounter(cpu);
  },
};
