// Stacks of inner privilege levels, from the task state segment (SDM 3A 8.2.1, 8.7).
import { VECTOR } from "../../x86/registers.ts";
import { type CpuContext, CpuException } from "../context.ts";
import { readSystemSegment, selectorError, systemSlot, systemType } from "./descriptor.ts";

/** Offset of RSP0 in the 64-bit TSS (SDM 3A figure 8-11). */
const TSS_RSP0 = 4;

function requireTss(cpu: CpuContext, end: number, external: number): bigint {
  if (end - 1 > readSystemSegment(cpu, "tr", "limit")) {
    throw new CpuException(VECTOR.TS, selectorError(readSystemSegment(cpu, "tr", "selector")) | external);
  }
  return cpu.state.get(systemSlot("tr", "base"));
}

/** Eight bytes of the 64-bit TSS. `external`: the EXT bit of a fault's error code. */
export function readLongTss(cpu: CpuContext, offset: number, external: number): bigint {
  const base = requireTss(cpu, offset + 8, external);
  return cpu.memory.read(BigInt.asUintN(64, base + BigInt(offset)), 8, true);
}

/** RSP of a level from the 64-bit TSS. */
export function longStackPointer(cpu: CpuContext, level: number, external: number): bigint {
  return readLongTss(cpu, TSS_RSP0 + level * 8, external);
}

/** SS:ESP of a level from a 32-bit TSS (SDM 3A figure 8-2) or a 16-bit one (figure 8-10). */
export function taskStack(cpu: CpuContext, level: number, external: number): { ss: number; esp: bigint } {
  const wide = (systemType(readSystemSegment(cpu, "tr", "attributes")) & 8) !== 0;
  const offset = wide ? 4 + level * 8 : 2 + level * 4;
  const base = requireTss(cpu, offset + (wide ? 6 : 4), external);
  const address = base + BigInt(offset);
  const esp = cpu.memory.read(address, wide ? 4 : 2, true);
  return { ss: Number(cpu.memory.read(address + (wide ? 4n : 2n), 2, true)), esp };
}
