// The instruction set: all rows, by family.
import type { InstructionRow } from "./row.ts";
import { PSEUDO_ROWS } from "./semantics/address.ts";
import { ARITHMETIC_ROWS } from "./semantics/arithmetic.ts";
import { AVX_DERIVED_ROWS } from "./semantics/avx-derived.ts";
import { AVX_INTEGER_ROWS } from "./semantics/avx-integer.ts";
import { AVX_LANE_ROWS } from "./semantics/avx-lane.ts";
import { BIT_ROWS } from "./semantics/bit.ts";
import { BIT_COUNT_ROWS } from "./semantics/bit-count.ts";
import { BMI_ROWS } from "./semantics/bmi.ts";
import { CONTROL_FLOW_ROWS } from "./semantics/control-flow.ts";
import { DATA_MOVEMENT_ROWS } from "./semantics/data-movement.ts";
import { F16C_ROWS } from "./semantics/f16c.ts";
import { FLAG_ROWS } from "./semantics/flag.ts";
import { FMA_ROWS } from "./semantics/fma.ts";
import { GATHER_ROWS } from "./semantics/gather.ts";
import { INTEGER_EXTENSION_ROWS } from "./semantics/integer-extension.ts";
import { LEGACY_ROWS } from "./semantics/legacy.ts";
import { MMX_ROWS } from "./semantics/mmx.ts";
import { MULTIPLY_ROWS } from "./semantics/multiply.ts";
import { PRIVILEGE_CHANGE_ROWS } from "./semantics/privilege-change.ts";
import { SHIFT_ROWS } from "./semantics/shift.ts";
import { SSE_ROWS } from "./semantics/sse.ts";
import { STACK_ROWS } from "./semantics/stack.ts";
import { STRING_ROWS } from "./semantics/string.ts";
import { SYSTEM_ROWS } from "./semantics/system.ts";
import { X87_ROWS } from "./semantics/x87.ts";
import { XSAVE_ROWS } from "./semantics/xsave.ts";

export const ROWS: readonly InstructionRow[] = [
  ...Object.values(PSEUDO_ROWS),
  ...DATA_MOVEMENT_ROWS,
  ...ARITHMETIC_ROWS,
  ...MULTIPLY_ROWS,
  ...SHIFT_ROWS,
  ...BIT_ROWS,
  ...BIT_COUNT_ROWS,
  ...INTEGER_EXTENSION_ROWS,
  ...STACK_ROWS,
  ...CONTROL_FLOW_ROWS,
  ...PRIVILEGE_CHANGE_ROWS,
  ...STRING_ROWS,
  ...FLAG_ROWS,
  ...SYSTEM_ROWS,
  ...LEGACY_ROWS,
  ...SSE_ROWS,
  ...AVX_DERIVED_ROWS,
  ...AVX_LANE_ROWS,
  ...AVX_INTEGER_ROWS,
  ...BMI_ROWS,
  ...FMA_ROWS,
  ...F16C_ROWS,
  ...GATHER_ROWS,
  ...X87_ROWS,
  ...XSAVE_ROWS,
  ...MMX_ROWS,
];
