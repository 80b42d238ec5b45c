// LLDT and LTR, and the instructions that only look at a descriptor: LAR, LSL, VERR, VERW.
import { VECTOR } from "../../x86/registers.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import {
  ATTRIBUTE,
  type Descriptor,
  findDescriptor,
  highBase,
  isCode,
  isNull,
  isPresent,
  privilegeOf,
  requireDescriptor,
  selectorError,
  systemSlot,
  systemType,
} from "./descriptor.ts";
import { isCanonical, isLongMode, privilegeLevel } from "./mode.ts";

const TYPE_LDT = 2;
const TYPE_TSS_16 = 1;
const TYPE_TSS_32 = 9;
const BUSY = 2;

/** All 64 bits in long mode, where they must be canonical. */
function baseOf(cpu: CpuContext, selector: number, descriptor: Descriptor): bigint {
  if (!isLongMode(cpu)) return descriptor.base;
  const base = descriptor.base | highBase(cpu, descriptor);
  if (!isCanonical(base)) throw new CpuException(VECTOR.GP, selectorError(selector));
  return base;
}

function write(
  cpu: CpuContext,
  register: "ldtr" | "tr",
  selector: number,
  descriptor: Descriptor,
  base = baseOf(cpu, selector, descriptor),
): void {
  cpu.state.set(systemSlot(register, "base"), base);
  cpu.state.setNumber(systemSlot(register, "limit"), descriptor.limit);
  cpu.state.setNumber(systemSlot(register, "selector"), selector);
  const busy = register === "tr" ? BUSY : 0;
  cpu.state.setNumber(systemSlot(register, "attributes"), descriptor.attributes | busy);
}

const loadLdt: Helper = (cpu, value) => {
  const selector = Number((value ?? 0n) & 0xffffn);
  if (isNull(selector)) {
    cpu.state.setNumber(systemSlot("ldtr", "selector"), selector);
    cpu.state.setNumber(systemSlot("ldtr", "attributes"), 0);
    return 0n;
  }
  const error = selectorError(selector);
  if (selector & 4) throw new CpuException(VECTOR.GP, error);
  const descriptor = requireDescriptor(cpu, selector);
  if (systemType(descriptor.attributes) !== TYPE_LDT) throw new CpuException(VECTOR.GP, error);
  if (!isPresent(descriptor.attributes)) throw new CpuException(VECTOR.NP, error);
  write(cpu, "ldtr", selector, descriptor);
  return 0n;
};

const loadTask: Helper = (cpu, value) => {
  const selector = Number((value ?? 0n) & 0xffffn);
  if (isNull(selector)) throw new CpuException(VECTOR.GP, 0);
  const error = selectorError(selector);
  if (selector & 4) throw new CpuException(VECTOR.GP, error);
  const descriptor = requireDescriptor(cpu, selector);
  const type = systemType(descriptor.attributes);
  if (type !== TYPE_TSS_32 && (isLongMode(cpu) || type !== TYPE_TSS_16)) throw new CpuException(VECTOR.GP, error);
  if (!isPresent(descriptor.attributes)) throw new CpuException(VECTOR.NP, error);
  const base = baseOf(cpu, selector, descriptor);
  cpu.memory.write(BigInt.asUintN(64, descriptor.address + 5n), 1, BigInt((descriptor.attributes & 0xff) | BUSY), true);
  write(cpu, "tr", selector, descriptor, base);
  return 0n;
};

/** The descriptor if it may be looked at from here: privilege matters except for conforming code. */
function visible(cpu: CpuContext, selector: number): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  const descriptor = findDescriptor(cpu, selector);
  if (!descriptor) return undefined;
  const { attributes } = descriptor;
  if (isCode(attributes) && attributes & ATTRIBUTE.CONFORMING) return descriptor;
  return privilegeOf(attributes) >= Math.max(privilegeLevel(cpu), selector & 3) ? descriptor : undefined;
}

/** System types that LAR and LSL accept (SDM 2A LAR, table 3-53). */
const LEGACY_ACCESS_TYPES = [1, 2, 3, 4, 5, 9, 11, 12];
const LONG_ACCESS_TYPES = [2, 9, 11, 12];
const LEGACY_LIMIT_TYPES = [1, 2, 3, 9, 11];
const LONG_LIMIT_TYPES = [2, 9, 11];

function inspect(
  cpu: CpuContext,
  selector: bigint,
  legacy: readonly number[],
  long: readonly number[],
): Descriptor | undefined {
  const descriptor = visible(cpu, Number(selector));
  if (!descriptor || descriptor.attributes & ATTRIBUTE.SEGMENT) return descriptor;
  return (isLongMode(cpu) ? long : legacy).includes(systemType(descriptor.attributes)) ? descriptor : undefined;
}

function verify(cpu: CpuContext, selector: bigint, write: boolean): bigint {
  const descriptor = visible(cpu, Number(selector));
  if (!descriptor || !(descriptor.attributes & ATTRIBUTE.SEGMENT)) return 0n;
  const { attributes } = descriptor;
  const bit = (attributes & ATTRIBUTE.WRITABLE) !== 0;
  if (write) return !isCode(attributes) && bit ? 1n : 0n;
  return !isCode(attributes) || bit ? 1n : 0n;
}

export const SYSTEM_SEGMENT_HELPERS: Record<string, Helper> = {
  loadLdt,
  loadTask,
  /** (selector) -> second dword of the descriptor masked, or -1. The manual leaves bits 19:16 open; processors show the limit's. */
  accessRights: (cpu, selector) => {
    const descriptor = inspect(cpu, selector ?? 0n, LEGACY_ACCESS_TYPES, LONG_ACCESS_TYPES);
    return descriptor ? BigInt((descriptor.high & 0x00ff_ff00) >>> 0) : -1n;
  },
  /** (selector) -> limit in bytes, or -1. */
  segmentLimit: (cpu, selector) => {
    const descriptor = inspect(cpu, selector ?? 0n, LEGACY_LIMIT_TYPES, LONG_LIMIT_TYPES);
    return descriptor ? BigInt(descriptor.limit) : -1n;
  },
  verifyRead: (cpu, selector) => verify(cpu, selector ?? 0n, false),
  verifyWrite: (cpu, selector) => verify(cpu, selector ?? 0n, true),
};
