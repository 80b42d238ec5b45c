// IN, OUT, INS, OUTS: the permission check (SDM 1 19.5) and the access itself.
import { CR0, VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException, type Helper } from "../context.ts";
import { readSystemSegment, systemSlot, systemType } from "./descriptor.ts";
import { ioPrivilegeLevel, isVirtual8086, privilegeLevel } from "./mode.ts";

/** Offset of the I/O map base in a 32- or 64-bit TSS. */
const TSS_IO_MAP = 0x66;
const TYPE_TSS_32 = 9;

type PortSize = 1 | 2 | 4;

function isAllowedByMap(cpu: CpuContext, port: number, size: number): boolean {
  const { state, memory } = cpu;
  const limit = readSystemSegment(cpu, "tr", "limit");
  // The busy bit does not matter.
  const type = systemType(readSystemSegment(cpu, "tr", "attributes")) & ~2;
  if (type !== TYPE_TSS_32 || limit < TSS_IO_MAP + 1) return false;
  const base = state.get(systemSlot("tr", "base"));
  const map = Number(memory.read(base + BigInt(TSS_IO_MAP), 2, true));
  const offset = map + (port >> 3);
  // The processor reads two bytes, whatever the width.
  if (offset + 1 > limit) return false;
  const permissions = Number(memory.read(base + BigInt(offset), 2, true)) >> (port & 7);
  return (permissions & ((1 << size) - 1)) === 0;
}

export const PORT_HELPERS: Record<string, Helper> = {
  /** (port, bytes): #GP(0) if CPL > IOPL, or in virtual-8086 mode, and the TSS does not allow it. */
  checkPort: (cpu, port, size) => {
    const protectedMode = (cpu.state.getNumber(STATE.cr0) & CR0.PE) !== 0;
    if (!protectedMode) return 0n;
    const restricted = isVirtual8086(cpu) || privilegeLevel(cpu) > ioPrivilegeLevel(cpu);
    if (restricted && !isAllowedByMap(cpu, Number(port), Number(size))) throw new CpuException(VECTOR.GP, 0);
    return 0n;
  },
  /** (port, bytes) -> value */
  readPort: (cpu, port, size) => {
    cpu.watchPort(Number(port), Number(size));
    return BigInt(cpu.platform.readPort(Number(port), Number(size) as PortSize) >>> 0);
  },
  /** (port, bytes, value) */
  writePort: (cpu, port, size, value) => {
    cpu.watchPort(Number(port), Number(size));
    cpu.platform.writePort(
      Number(port),
      Number(size) as PortSize,
      Number(BigInt.asUintN(Number(size) * 8, value ?? 0n)),
    );
    return 0n;
  },
};
