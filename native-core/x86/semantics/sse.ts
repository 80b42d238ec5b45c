// All rows of SSE to SSE4.2 in legacy encoding, and of the extensions that work on the same registers.
import type { InstructionRow } from "../row.ts";
import { CRYPTO_ROWS } from "./crypto.ts";
import { SHA_ROWS } from "./sha.ts";
import { SSE_ARITHMETIC_ROWS } from "./sse-arithmetic.ts";
import { SSE_COMPARE_ROWS } from "./sse-compare.ts";
import { SSE_CONVERT_ROWS } from "./sse-convert.ts";
import { SSE_INTEGER_ROWS } from "./sse-integer.ts";
import { SSE_MOVE_ROWS } from "./sse-move.ts";
import { SSE_SHIFT_ROWS } from "./sse-shift.ts";
import { SSE_SHUFFLE_ROWS } from "./sse-shuffle.ts";
import { SSE_STATE_ROWS } from "./sse-state.ts";
import { SSE3_ROWS } from "./sse3.ts";
import { SSE41_FLOAT_ROWS } from "./sse41-float.ts";
import { SSE41_INTEGER_ROWS } from "./sse41-integer.ts";
import { SSE41_LANE_ROWS } from "./sse41-lane.ts";
import { SSE42_STRING_ROWS } from "./sse42-string.ts";
import { SSSE3_ROWS } from "./ssse3.ts";

export const SSE_ROWS: readonly InstructionRow[] = [
  ...SSE_MOVE_ROWS,
  ...SSE_SHUFFLE_ROWS,
  ...SSE_INTEGER_ROWS,
  ...SSE_SHIFT_ROWS,
  ...SSE_ARITHMETIC_ROWS,
  ...SSE_COMPARE_ROWS,
  ...SSE_CONVERT_ROWS,
  ...SSE_STATE_ROWS,
  ...SSE3_ROWS,
  ...SSSE3_ROWS,
  ...SSE41_INTEGER_ROWS,
  ...SSE41_LANE_ROWS,
  ...SSE41_FLOAT_ROWS,
  ...SSE42_STRING_ROWS,
  ...CRYPTO_ROWS,
  ...SHA_ROWS,
];
