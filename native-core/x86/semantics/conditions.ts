// Condition codes in encoding order: their names and the flags they read (SDM 1 B.1).
import type { ConditionCode } from "../../ir/nodes.ts";
import type { ArithmeticFlag } from "../row.ts";

export const conditionNames = [
  "O",
  "NO",
  "B",
  "AE",
  "E",
  "NE",
  "BE",
  "A",
  "S",
  "NS",
  "P",
  "NP",
  "L",
  "GE",
  "LE",
  "G",
] as const;

const FLAGS: readonly (readonly ArithmeticFlag[])[] = [
  ["OF"],
  ["CF"],
  ["ZF"],
  ["CF", "ZF"],
  ["SF"],
  ["PF"],
  ["SF", "OF"],
  ["ZF", "SF", "OF"],
];

export function conditionFlags(code: ConditionCode): readonly ArithmeticFlag[] {
  return FLAGS[code >> 1] ?? [];
}
