// What a local APIC keeps in a saved state.
import { z } from "zod";
import { arrayOf, flag, timeNs, u32, u64 } from "../state-schema.ts";
import { LVT_OFFSETS } from "./register-access.ts";
import { timerStateSchema } from "./timer.ts";

const vectorSet = arrayOf(u32, 8);
export const lapicStateSchema = z.strictObject({
  apicBase: u64,
  id: u32,
  tpr: z.int().min(0).max(255),
  ldr: u32,
  dfr: u32,
  svr: u32,
  esr: u32,
  esrLatched: u32,
  icrLow: u32,
  icrHigh: u32,
  lvt: arrayOf(u32, LVT_OFFSETS.length),
  irr: vectorSet,
  isr: vectorSet,
  tmr: vectorSet,
  extInt: flag,
  extIntMessage: flag.default(false),
  timer: timerStateSchema,
  /** TSC deadline in virtual nanoseconds, 0 for none. */
  deadlineNs: timeNs.default(0n),
});
export type LapicState = z.infer<typeof lapicStateSchema>;
