// The arithmetic flags from first principles (SDM 1 3.4.3.1), for the evaluator: no knowledge of the lazy form.
import { unreachable } from "../../common/assert.ts";
import type { ConditionCode, FlagName, FlagOperation, Size } from "../../ir/nodes.ts";
import { RFLAGS } from "../../x86/registers.ts";

export const FLAG_BITS: Readonly<Record<FlagName, bigint>> = {
  CF: BigInt(RFLAGS.CF),
  PF: BigInt(RFLAGS.PF),
  AF: BigInt(RFLAGS.AF),
  ZF: BigInt(RFLAGS.ZF),
  SF: BigInt(RFLAGS.SF),
  OF: BigInt(RFLAGS.OF),
};

const ALL = Object.values(FLAG_BITS).reduce((sum, bit) => sum | bit, 0n);

/** RFLAGS after an operation on operands of `size` bytes. `result` is what the instruction wrote. */
export function flagsAfter(
  flags: bigint,
  operation: FlagOperation,
  size: Size,
  a: bigint,
  b: bigint,
  result: bigint,
): bigint {
  const bits = size * 8;
  const carryIn = flags & FLAG_BITS.CF ? 1n : 0n;
  const value = BigInt.asUintN(bits, result);
  const computed = common(value, bits);
  switch (operation) {
    case "logic":
      return merge(flags, { ...computed, CF: false, OF: false, AF: false });
    case "shift":
      return merge(flags, { ...computed, CF: a === 1n, OF: b === 1n, AF: false });
    case "add":
      return merge(flags, { ...computed, ...sum(a, b, 0n, bits) });
    case "adc":
      return merge(flags, { ...computed, ...sum(a, b, carryIn, bits) });
    case "sub":
      return merge(flags, { ...computed, ...difference(a, b, 0n, bits) });
    case "sbb":
      return merge(flags, { ...computed, ...difference(a, b, carryIn, bits) });
    case "inc":
      return merge(flags, { ...computed, ...sum(a, 1n, 0n, bits), CF: carryIn === 1n });
    case "dec":
      return merge(flags, { ...computed, ...difference(a, 1n, 0n, bits), CF: carryIn === 1n });
    default:
      return unreachable(operation);
  }
}

type Flags = Record<FlagName, boolean>;

function merge(old: bigint, flags: Flags): bigint {
  let value = old & ~ALL;
  for (const [name, set] of Object.entries(flags)) if (set) value |= FLAG_BITS[name as FlagName];
  return value;
}

function common(value: bigint, bits: number): Pick<Flags, "ZF" | "SF" | "PF"> {
  let ones = 0;
  for (let bit = 0n; bit < 8n; bit++) if ((value >> bit) & 1n) ones++;
  return { ZF: value === 0n, SF: BigInt.asIntN(bits, value) < 0n, PF: ones % 2 === 0 };
}

type Arithmetic = Pick<Flags, "CF" | "OF" | "AF">;

/** CF: the unsigned sum does not fit. OF: the signed sum does not fit. AF: the sum of the low nibbles does not fit. */
function sum(a: bigint, b: bigint, carry: bigint, bits: number): Arithmetic {
  const u = (x: bigint) => BigInt.asUintN(bits, x);
  const s = (x: bigint) => BigInt.asIntN(bits, x);
  const signed = s(a) + s(b) + carry;
  return {
    CF: u(a) + u(b) + carry >= 1n << BigInt(bits),
    OF: signed !== s(signed),
    AF: (a & 15n) + (b & 15n) + carry > 15n,
  };
}

function difference(a: bigint, b: bigint, borrow: bigint, bits: number): Arithmetic {
  const u = (x: bigint) => BigInt.asUintN(bits, x);
  const s = (x: bigint) => BigInt.asIntN(bits, x);
  const signed = s(a) - s(b) - borrow;
  return {
    CF: u(a) < u(b) + borrow,
    OF: signed !== s(signed),
    AF: (a & 15n) < (b & 15n) + borrow,
  };
}

/** Condition codes of Jcc, SETcc, CMOVcc (SDM 1 B.1). */
export function conditionHolds(flags: bigint, code: ConditionCode): boolean {
  const f = (name: FlagName): boolean => (flags & FLAG_BITS[name]) !== 0n;
  const positive = [
    f("OF"),
    f("CF"),
    f("ZF"),
    f("CF") || f("ZF"),
    f("SF"),
    f("PF"),
    f("SF") !== f("OF"),
    f("ZF") || f("SF") !== f("OF"),
  ][code >> 1] as boolean;
  return code & 1 ? !positive : positive;
}
