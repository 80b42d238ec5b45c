// All SSE and SSE2 rows. SSE3 and later are not there: their opcodes raise #UD and CPUID does not advertise them.
import type { InstructionRow } from "../row.ts";
import { SSE_ARITHMETIC_ROWS } from "./sse-arithmetic.ts";
import { SSE_COMPARE_ROWS } from "./sse-compare.ts";
import { SSE_CONVERT_ROWS } from "./sse-convert.ts";
import { SSE_INTEGER_ROWS } from "./sse-integer.ts";
import { SSE_MOVE_ROWS } from "./sse-move.ts";
import { SSE_SHIFT_ROWS } from "./sse-shift.ts";
import { SSE_SHUFFLE_ROWS } from "./sse-shuffle.ts";
import { SSE_STATE_ROWS } from "./sse-state.ts";

export const SSE_ROWS: readonly InstructionRow[] = [
  ...SSE_MOVE_ROWS,
  ...SSE_SHUFFLE_ROWS,
  ...SSE_INTEGER_ROWS,
  ...SSE_SHIFT_ROWS,
  ...SSE_ARITHMETIC_ROWS,
  ...SSE_COMPARE_ROWS,
  ...SSE_CONVERT_ROWS,
  ...SSE_STATE_ROWS,
];
