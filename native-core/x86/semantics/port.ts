// Port access as IN, OUT, INS and OUTS share it.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { RFLAGS } from "../registers.ts";
import { STATE } from "../state-layout.ts";

/** #GP(0) where the I/O privilege level, or else the TSS, does not allow the access (SDM 1 19.5). A kernel needs no helper call. */
export function requirePort(i: InstructionBuilder, port: Value): void {
  const flags = i.readState(STATE.systemFlags);
  const iopl = i.and(i.shrU(flags, i.i64(12)), i.i64(3));
  const restricted = i.ltU(iopl, i.readState(STATE.cpl));
  const virtual8086 = i.isNonZero(i.and(flags, i.i64(RFLAGS.VM)));
  i.if(i.pure("i32.or", [restricted, virtual8086]), () => i.callHelper("checkPort", [port, i.i64(i.size)]));
}
