// Hardware task switches outside long mode (SDM 3A 8.3): far JMP and CALL to a TSS or task gate, interrupts through a task gate, IRET
// with NT set. 32-bit Linux takes double faults this way.
//
// Up to the commit point (the new TR) a fault belongs to the old task and leaves it unchanged; afterwards the new task has its
// registers, and a segment it may not use raises #TS there.
import { CR0, RFLAGS, VECTOR } from "../../x86/registers.ts";
import { SEGMENTS, STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException } from "../context.ts";
import { DR6, trapNext } from "../debug-registers.ts";
import {
  type Descriptor,
  findDescriptor,
  isCode,
  isNull,
  isPresent,
  privilegeOf,
  readSystemSegment,
  selectorError,
  systemSlot,
  systemType,
} from "./descriptor.ts";
import { isLongMode, privilegeLevel } from "./mode.ts";
import {
  checkStackSegment,
  loadDataSegment,
  loadRealSegment,
  writeCodeSegment,
  writeSegment,
  writeStackSegment,
} from "./segment-load.ts";

/** A fault that comes when the new task has taken over: it is that task which is interrupted, at its own instruction. */
export class NewTaskException extends CpuException {}

export type TaskSwitchKind = "jump" | "call" | "interrupt" | "return";

/** L0 to L3, and LE. */
const DR7_LOCAL = 0x155n;
const TASK_GATE = 0x5;
const TSS_16 = 0x1;
const TSS_32 = 0x9;
const BUSY = 0x2;

/** Offsets in a TSS (SDM 3A figures 8-2 and 8-10). General registers and segments follow in encoding order. */
interface TssLayout {
  readonly word: 2 | 4;
  readonly cr3: number | undefined;
  readonly ip: number;
  readonly flags: number;
  readonly general: number;
  readonly segments: number;
  readonly segmentCount: number;
  readonly ldt: number;
  /** A word whose bit 0 asks for a debug trap at each switch to the task. */
  readonly trap: number | undefined;
  /** Smallest limit. */
  readonly limit: number;
}

const LAYOUT_32: TssLayout = {
  word: 4,
  cr3: 0x1c,
  ip: 0x20,
  flags: 0x24,
  general: 0x28,
  segments: 0x48,
  segmentCount: 6,
  ldt: 0x60,
  trap: 0x64,
  limit: 0x67,
};
const LAYOUT_16: TssLayout = {
  word: 2,
  cr3: undefined,
  ip: 0x0e,
  flags: 0x10,
  general: 0x12,
  segments: 0x22,
  segmentCount: 4,
  ldt: 0x2a,
  trap: undefined,
  limit: 0x2b,
};

const layoutOf = (type: number): TssLayout => (type & 8 ? LAYOUT_32 : LAYOUT_16);

const ES = SEGMENTS.indexOf("es");
const CS = SEGMENTS.indexOf("cs");
const SS = SEGMENTS.indexOf("ss");

/** The TSS selector that a far JMP or CALL through `selector` leads to; undefined if it names no task. Checks gate and TSS privilege. */
export function findTask(cpu: CpuContext, selector: number): number | undefined {
  if (isNull(selector) || isLongMode(cpu)) return undefined;
  const descriptor = findDescriptor(cpu, selector);
  if (!descriptor) return undefined;
  const type = systemType(descriptor.attributes);
  if (type !== TASK_GATE && type !== TSS_16 && type !== TSS_32) return undefined;
  const error = selectorError(selector);
  if (privilegeOf(descriptor.attributes) < Math.max(privilegeLevel(cpu), selector & 3)) {
    throw new CpuException(VECTOR.GP, error);
  }
  if (type !== TASK_GATE) return selector;
  if (!isPresent(descriptor.attributes)) throw new CpuException(VECTOR.NP, error);
  return descriptor.low >>> 16;
}

/** `returnRip` is what the old task goes on with. */
export function switchTask(cpu: CpuContext, selector: number, kind: TaskSwitchKind, returnRip: bigint): void {
  const { state, memory } = cpu;
  const back = kind === "return";
  const target = requireTss(cpu, selector, back);
  const type = systemType(target.attributes) & ~BUSY;
  const layout = layoutOf(type);
  const nested = kind === "call" || kind === "interrupt";
  // Everything is read before anything is written, so that a page fault comes in time.
  const incoming = readTask(cpu, target.base, layout);

  const oldSelector = readSystemSegment(cpu, "tr", "selector");
  const oldFlags = back ? state.flagBits & ~RFLAGS.NT : state.flagBits;
  saveTask(cpu, returnRip, oldFlags);
  if (!nested) markBusy(cpu, oldSelector, false);
  if (nested) memory.write(target.base, 2, BigInt(oldSelector), true);
  if (!back) markBusy(cpu, selector, true);

  state.setNumber(systemSlot("tr", "selector"), selector);
  state.set(systemSlot("tr", "base"), target.base);
  state.setNumber(systemSlot("tr", "limit"), target.limit);
  state.setNumber(systemSlot("tr", "attributes"), target.attributes | BUSY);
  state.setNumber(STATE.cr0, (state.getNumber(STATE.cr0) | CR0.TS) >>> 0);
  if (incoming.cr3 !== undefined && state.getNumber(STATE.cr0) & CR0.PG) {
    state.set(STATE.cr3, incoming.cr3);
    memory.flush(true);
  }
  // Breakpoints of the old task alone end with it (SDM 3B 18.2.4).
  state.set(STATE.dr7, state.get(STATE.dr7) & ~DR7_LOCAL);
  cpu.debugChanged();
  state.set(STATE.rip, incoming.ip);
  state.flagBits = incoming.flags | (nested ? RFLAGS.NT : 0);
  incoming.general.forEach((value, register) => {
    state.setGeneral(register, value);
  });
  try {
    loadSegments(cpu, incoming);
  } catch (error) {
    if (!(error instanceof CpuException)) throw error;
    throw new NewTaskException(error.vector, error.errorCode);
  }
  if (incoming.isTrapped) trapNext(state, DR6.BT);
}

/** An available TSS, or a busy one to return to. */
function requireTss(cpu: CpuContext, selector: number, busy: boolean): Descriptor {
  const vector = busy ? VECTOR.TS : VECTOR.GP;
  const error = selectorError(selector);
  const descriptor = selector & 4 || isNull(selector) ? undefined : findDescriptor(cpu, selector);
  if (!descriptor) throw new CpuException(vector, error);
  const type = systemType(descriptor.attributes);
  const expected = busy ? BUSY : 0;
  if (type !== (TSS_16 | expected) && type !== (TSS_32 | expected)) throw new CpuException(vector, error);
  if (!isPresent(descriptor.attributes)) throw new CpuException(VECTOR.NP, error);
  if (descriptor.limit < layoutOf(type).limit) throw new CpuException(VECTOR.TS, error);
  return descriptor;
}

interface Task {
  readonly cr3: bigint | undefined;
  readonly ip: bigint;
  readonly flags: number;
  readonly general: readonly bigint[];
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly isTrapped: boolean;
}

function readTask(cpu: CpuContext, base: bigint, layout: TssLayout): Task {
  const { word } = layout;
  const read = (offset: number, size: 2 | 4 = word): bigint => cpu.memory.read(base + BigInt(offset), size, true);
  // The upper halves of registers that a 16-bit TSS does not have are undefined; they are set.
  const upper = word === 2 ? 0xffff_0000n : 0n;
  return {
    cr3: layout.cr3 === undefined ? undefined : read(layout.cr3),
    ip: read(layout.ip),
    flags: Number(read(layout.flags)),
    general: Array.from({ length: 8 }, (_, n) => read(layout.general + n * word) | upper),
    segments: Array.from({ length: layout.segmentCount }, (_, n) => Number(read(layout.segments + n * word, 2))),
    ldt: Number(read(layout.ldt, 2)),
    isTrapped: layout.trap !== undefined && (read(layout.trap, 2) & 1n) !== 0n,
  };
}

function saveTask(cpu: CpuContext, ip: bigint, flags: number): void {
  const { state, memory } = cpu;
  const layout = layoutOf(readSystemSegment(cpu, "tr", "attributes"));
  const base = state.get(systemSlot("tr", "base"));
  const write = (offset: number, value: bigint, size: 2 | 4 = layout.word): void =>
    memory.write(base + BigInt(offset), size, BigInt.asUintN(size * 8, value), true);
  write(layout.ip, ip);
  write(layout.flags, BigInt(flags >>> 0));
  for (let n = 0; n < 8; n++) write(layout.general + n * layout.word, state.general(n));
  for (let n = 0; n < layout.segmentCount; n++) {
    write(layout.segments + n * layout.word, state.segment(n, "selector"), 2);
  }
}

function markBusy(cpu: CpuContext, selector: number, busy: boolean): void {
  const descriptor = findDescriptor(cpu, selector);
  if (!descriptor) return;
  const attributes = busy ? descriptor.attributes | BUSY : descriptor.attributes & ~BUSY;
  cpu.memory.write(descriptor.address + 5n, 1, BigInt(attributes & 0xff), true);
}

/** Selectors first, so that a fault finds them all; then the descriptors, each with its checks. */
function loadSegments(cpu: CpuContext, task: Task): void {
  const { state } = cpu;
  const virtual = (task.flags & RFLAGS.VM) !== 0;
  const selectors = SEGMENTS.map((_, n) => task.segments[n] ?? 0);
  const codeSelector = selectors[CS] ?? 0;
  if (!virtual) selectors.forEach((selector, segment) => writeSegment(cpu, segment, selector, 0n, 0, 0));
  loadLdt(cpu, task.ldt);
  if (virtual) {
    state.setNumber(STATE.cpl, 3);
    selectors.forEach((selector, segment) => loadRealSegment(cpu, segment, selector));
    cpu.modeChanged();
    return;
  }
  const level = codeSelector & 3;
  writeCodeSegment(cpu, codeSelector, level, requireTaskCode(cpu, codeSelector));
  const stackSelector = selectors[SS] ?? 0;
  writeStackSegment(cpu, stackSelector, checkStackSegment(cpu, stackSelector, level, VECTOR.TS));
  cpu.modeChanged();
  selectors.forEach((selector, segment) => {
    if (segment === ES || segment > SS) loadDataSegment(cpu, segment, selector, VECTOR.TS);
  });
}

function requireTaskCode(cpu: CpuContext, selector: number): Descriptor {
  const error = selectorError(selector);
  const descriptor = isNull(selector) ? undefined : findDescriptor(cpu, selector);
  if (!descriptor || !isCode(descriptor.attributes)) throw new CpuException(VECTOR.TS, error);
  const dpl = privilegeOf(descriptor.attributes);
  const level = selector & 3;
  const conforming = (descriptor.attributes & 4) !== 0;
  if (conforming ? dpl > level : dpl !== level) throw new CpuException(VECTOR.TS, error);
  if (!isPresent(descriptor.attributes)) throw new CpuException(VECTOR.NP, error);
  return descriptor;
}

const TYPE_LDT = 2;

function loadLdt(cpu: CpuContext, selector: number): void {
  const { state } = cpu;
  state.setNumber(systemSlot("ldtr", "selector"), selector);
  state.setNumber(systemSlot("ldtr", "attributes"), 0);
  if (isNull(selector)) return;
  const descriptor = selector & 4 ? undefined : findDescriptor(cpu, selector);
  if (!descriptor || systemType(descriptor.attributes) !== TYPE_LDT || !isPresent(descriptor.attributes)) {
    throw new CpuException(VECTOR.TS, selectorError(selector));
  }
  state.set(systemSlot("ldtr", "base"), descriptor.base);
  state.setNumber(systemSlot("ldtr", "limit"), descriptor.limit);
  state.setNumber(systemSlot("ldtr", "attributes"), descriptor.attributes);
}
