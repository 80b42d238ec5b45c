// x87 compares and examination: FCOM, FUCOM, FCOMI, FUCOMI, FTST, FXAM (SDM 1 8.3.6).
import type { Helper } from "../context.ts";
import { compare, FLOAT_FLAGS } from "./soft-float.ts";
import { onStack, widen } from "./x87-core.ts";
import { decodeExtended, type ExtendedFloat } from "./x87-float.ts";
import { STATUS, X87 } from "./x87-state.ts";

const { IE, DE } = FLOAT_FLAGS;

type Relation = "greater" | "less" | "equal" | "unordered";
const CODES: Record<Relation, number> = {
  greater: 0,
  less: STATUS.C0,
  equal: STATUS.C3,
  unordered: STATUS.C0 | STATUS.C2 | STATUS.C3,
};
const FLAGS: Record<Relation, bigint> = { greater: 0n, less: 0x01n, equal: 0x40n, unordered: 0x45n };

/** FCOM signals IE for every NaN, FUCOM for signalling ones. */
function relate(x87: X87, a: ExtendedFloat, b: ExtendedFloat, quietSignals: boolean): Relation {
  if (a.unsupported || b.unsupported || a.kind === "nan" || b.kind === "nan") {
    const signals = quietSignals || a.signalling || b.signalling || a.unsupported || b.unsupported;
    x87.flags &= ~DE;
    if (signals) x87.flags |= IE;
    return "unordered";
  }
  if (a.denormal || b.denormal) x87.flags |= DE;
  const order = compare(a, b);
  return order < 0 ? "less" : order > 0 ? "greater" : "equal";
}

function relateStack(x87: X87, b: () => ExtendedFloat, bIsEmpty: boolean, quietSignals: boolean): Relation {
  if (bIsEmpty || x87.isEmpty(0)) {
    x87.underflow();
    return "unordered";
  }
  return relate(x87, decodeExtended(x87.read(0)), b(), quietSignals);
}

/** Condition codes, then `pops` pops; an unmasked exception only keeps it from popping. */
function compareWith(x87: X87, b: () => ExtendedFloat, bIsEmpty: boolean, quietSignals: boolean, pops: number): void {
  x87.setConditionCodes(CODES[relateStack(x87, b, bIsEmpty, quietSignals)]);
  if (!x87.masks(x87.flags)) return;
  for (let n = 0; n < pops; n++) x87.pop();
}

function compareHelpers(): Record<string, Helper> {
  const helpers: Record<string, Helper> = {};
  for (const [suffix, pops] of [
    ["", 0],
    ["_pop", 1],
    ["_pop2", 2],
  ] as const) {
    for (const type of ["f32", "f64", "i16", "i32"] as const) {
      helpers[`x87_com${suffix}_${type}`] = onStack((x87, bits = 0n) =>
        compareWith(x87, () => widen(x87, type, bits), false, true, pops),
      );
    }
    for (const [name, quietSignals] of [
      ["com", true],
      ["ucom", false],
    ] as const) {
      helpers[`x87_${name}${suffix}`] = onStack((x87, n = 0n) =>
        compareWith(x87, () => decodeExtended(x87.read(Number(n))), x87.isEmpty(Number(n)), quietSignals, pops),
      );
      // FCOMI and FUCOMI: to ZF PF CF; C1 stays.
      helpers[`x87_${name}i${suffix}`] = (cpu, n = 0n) => {
        const x87 = new X87(cpu.state);
        const i = Number(n);
        x87.keepC1();
        const relation = relateStack(x87, () => decodeExtended(x87.read(i)), x87.isEmpty(i), quietSignals);
        if (pops === 1 && x87.masks(x87.flags)) x87.pop();
        x87.finish();
        return FLAGS[relation];
      };
    }
  }
  return helpers;
}

const test = onStack((x87) => compareWith(x87, () => decodeExtended(0n), false, true, 0));

/** FXAM: class of ST(0) in C3 C2 C0, sign in C1. */
const examine = onStack((x87) => {
  const a = decodeExtended(x87.read(0));
  x87.c1 = a.negative;
  const { C0, C2, C3 } = STATUS;
  if (x87.isEmpty(0)) x87.setConditionCodes(C3 | C0);
  else if (a.unsupported) x87.setConditionCodes(0);
  else if (a.kind === "nan") x87.setConditionCodes(C0);
  else if (a.kind === "infinity") x87.setConditionCodes(C2 | C0);
  else if (a.kind === "zero") x87.setConditionCodes(C3);
  else x87.setConditionCodes(a.denormal ? C3 | C2 : C2);
});

export const X87_COMPARE_HELPERS: Record<string, Helper> = {
  ...compareHelpers(),
  x87_test: test,
  x87_examine: examine,
};
