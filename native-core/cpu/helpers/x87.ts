// All x87 helpers, FXSAVE and FXRSTOR included.
import type { Helper } from "../context.ts";
import { X87_ARITHMETIC_HELPERS } from "./x87-arithmetic.ts";
import { X87_COMPARE_HELPERS } from "./x87-compare.ts";
import { X87_CONTROL_HELPERS } from "./x87-control.ts";
import { X87_REMAINDER_HELPERS } from "./x87-remainder.ts";
import { X87_TRANSCENDENTAL_HELPERS } from "./x87-transcendental.ts";
import { X87_TRANSFER_HELPERS } from "./x87-transfer.ts";

export const X87_HELPERS: Record<string, Helper> = {
  ...X87_CONTROL_HELPERS,
  ...X87_TRANSFER_HELPERS,
  ...X87_ARITHMETIC_HELPERS,
  ...X87_COMPARE_HELPERS,
  ...X87_REMAINDER_HELPERS,
  ...X87_TRANSCENDENTAL_HELPERS,
};
