// The common end of RETF and IRET to a less privileged level: code and stack are loaded together, and data segments that the new level
// may not use are dropped (SDM 3A 5.8.6).
import { VECTOR } from "../../x86/registers.ts";
import { SEGMENTS, STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException } from "../context.ts";
import { isLong } from "./code-target.ts";
import { ATTRIBUTE, type Descriptor, isCode, isNull, privilegeOf } from "./descriptor.ts";
import { checkStackSegment, loadNullStack, writeCodeSegment, writeSegment, writeStackSegment } from "./segment-load.ts";
import { stackMaskOf } from "./stack.ts";

export interface OuterTarget {
  readonly selector: number;
  readonly descriptor: Descriptor;
  readonly offset: bigint;
  readonly ss: number;
  readonly rsp: bigint;
  /** A null SS is allowed below privilege level 3 (64-bit target). */
  readonly nullStack: boolean;
}

const RSP = 4;
const DATA_SEGMENTS = (["es", "ds", "fs", "gs"] as const).map((name) => SEGMENTS.indexOf(name));

/** Also used by IRETQ within one level, which always pops a stack. The caller has checked code segment and offset. */
export function returnToOuter(cpu: CpuContext, target: OuterTarget): void {
  const { state } = cpu;
  const level = target.selector & 3;
  const dropsPrivilege = level > state.getNumber(STATE.cpl);
  let stack: Descriptor | undefined;
  if (isNull(target.ss)) {
    if (!target.nullStack || level === 3 || (target.ss & 3) !== level) throw new CpuException(VECTOR.GP, 0);
  } else {
    stack = checkStackSegment(cpu, target.ss, level, VECTOR.GP);
  }
  writeCodeSegment(cpu, target.selector, level, target.descriptor);
  if (stack) writeStackSegment(cpu, target.ss, stack);
  else loadNullStack(cpu, target.ss);
  if (isLong(cpu, target.descriptor)) {
    state.setGeneral(RSP, target.rsp);
  } else {
    const mask = stackMaskOf(stack?.attributes ?? 0);
    state.setGeneral(RSP, (state.general(RSP) & ~mask) | (target.rsp & mask));
  }
  state.set(STATE.rip, target.offset);
  if (dropsPrivilege) dropDataSegments(cpu, level);
  cpu.modeChanged();
}

function dropDataSegments(cpu: CpuContext, level: number): void {
  for (const segment of DATA_SEGMENTS) {
    const attributes = cpu.state.segmentNumber(segment, "attributes");
    const conforming = isCode(attributes) && (attributes & ATTRIBUTE.CONFORMING) !== 0;
    if (attributes & ATTRIBUTE.SEGMENT && !conforming && privilegeOf(attributes) < level) {
      writeSegment(cpu, segment, 0, cpu.state.segment(segment, "base"), 0, 0);
    }
  }
}
