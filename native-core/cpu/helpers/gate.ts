// What long-mode and 32-bit delivery share: the IDT entry's checks and the flags after entry.
import { RFLAGS, VECTOR } from "../../x86/registers.ts";
import { STATE } from "../../x86/state-layout.ts";
import { type CpuContext, CpuException } from "../context.ts";
import type { PendingEvent } from "./deliver-event.ts";
import { isPresent, privilegeOf } from "./descriptor.ts";
import { privilegeLevel } from "./mode.ts";

/** Error code that names an IDT entry: the vector, the IDT bit and EXT. */
export function gateError(event: PendingEvent): number {
  return event.vector * 8 + 2 + event.external;
}

/** Linear address of the event's gate; #GP when it lies outside the IDT. */
export function gateAddress(cpu: CpuContext, event: PendingEvent, gateSize: 8 | 16): bigint {
  const offset = event.vector * gateSize;
  if (offset + gateSize - 1 > cpu.state.getNumber(STATE.idtLimit)) {
    throw new CpuException(VECTOR.GP, gateError(event));
  }
  return BigInt.asUintN(64, cpu.state.get(STATE.idtBase) + BigInt(offset));
}

/** `attributes`: descriptor bits 40..47 of the gate. */
export function checkGate(cpu: CpuContext, event: PendingEvent, attributes: number, types: readonly number[]): void {
  const error = gateError(event);
  if (!types.includes(attributes & 0x1f)) throw new CpuException(VECTOR.GP, error);
  if (event.kind === "software" && privilegeOf(attributes) < privilegeLevel(cpu)) {
    throw new CpuException(VECTOR.GP, error);
  }
  if (!isPresent(attributes)) throw new CpuException(VECTOR.NP, error);
}

/** An interrupt gate also clears IF. Its type is even, a trap gate's odd. */
export function enterFlags(cpu: CpuContext, gateType: number): void {
  const cleared = RFLAGS.TF | RFLAGS.NT | RFLAGS.RF | RFLAGS.VM | (gateType & 1 ? 0 : RFLAGS.IF);
  cpu.state.setNumber(STATE.systemFlags, cpu.state.getNumber(STATE.systemFlags) & ~cleared);
}
