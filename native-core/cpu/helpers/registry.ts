// All helpers by name: what `callHelper` in the semantics refers to.
import type { Helper } from "../context.ts";
import { CONTROL_REGISTER_HELPERS } from "./control-register.ts";
import { CPUID_HELPERS } from "./cpuid.ts";
import { INTERRUPT_HELPERS } from "./deliver-event.ts";
import { F16C_HELPERS } from "./f16c.ts";
import { FAR_TRANSFER_HELPERS } from "./far-transfer.ts";
import { FMA_HELPERS } from "./fma.ts";
import { GATHER_HELPERS } from "./gather.ts";
import { INTEGER_HELPERS } from "./integer.ts";
import { INTERRUPT_RETURN_HELPERS } from "./interrupt-return.ts";
import { MSR_HELPERS } from "./msr.ts";
import { PORT_HELPERS } from "./port.ts";
import { RANDOM_HELPERS } from "./random.ts";
import { SEGMENT_HELPERS } from "./segment-load.ts";
import { SSE_HELPERS } from "./sse-float.ts";
import { SSE4_HELPERS } from "./sse4-float.ts";
import { SYSTEM_CALL_HELPERS } from "./system-call.ts";
import { SYSTEM_SEGMENT_HELPERS } from "./system-segment.ts";
import { VIRTUAL_INTERRUPT_HELPERS } from "./virtual-interrupts.ts";
import { X87_HELPERS } from "./x87.ts";
import { XSAVE_HELPERS } from "./xsave.ts";

export const HELPERS: Readonly<Record<string, Helper>> = {
  ...INTEGER_HELPERS,
  ...SEGMENT_HELPERS,
  ...SYSTEM_SEGMENT_HELPERS,
  ...FAR_TRANSFER_HELPERS,
  ...INTERRUPT_HELPERS,
  ...INTERRUPT_RETURN_HELPERS,
  ...VIRTUAL_INTERRUPT_HELPERS,
  ...SYSTEM_CALL_HELPERS,
  ...CONTROL_REGISTER_HELPERS,
  ...MSR_HELPERS,
  ...CPUID_HELPERS,
  ...PORT_HELPERS,
  ...SSE_HELPERS,
  ...SSE4_HELPERS,
  ...RANDOM_HELPERS,
  ...X87_HELPERS,
  ...XSAVE_HELPERS,
  ...FMA_HELPERS,
  ...F16C_HELPERS,
  ...GATHER_HELPERS,
};
