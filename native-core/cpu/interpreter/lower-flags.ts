// The laws of the lazy flags (x86/state-layout.ts) as Wasm.
import { unreachable } from "../../common/assert.ts";
import type { ConditionCode, FlagName, FlagOperation, Size } from "../../ir/nodes.ts";
import {
  and32,
  and64,
  type Code,
  extendU,
  i32,
  i64,
  not32,
  op,
  or32,
  or64,
  seq,
  shl64,
  shrU64,
  wrap,
  xor32,
  xor64,
} from "../../wasm/code.ts";
import { STATE } from "../../x86/state-layout.ts";
import { readSlot, readSlot32, writeSlot, writeSlot32 } from "../mmu/cells.ts";

const result = readSlot(STATE.flagResult);
const carry = readSlot(STATE.flagCarry);
const aux32 = readSlot32(STATE.flagAux);
const aux64 = readSlot(STATE.flagAux);

const isNegative = (a: Code): Code => op("i64.lt_s", a, i64(0));

/** Bit 63 says whether SF differs from nothing: the result's sign, inverted by bit 8 of flagAux. */
const signWord = xor64(result, shl64(aux64, 55));
/** Bit 63 is OF. */
const overflowWord = xor64(carry, shl64(carry, 1));

/** i32 0 or 1. */
export function readFlag(flag: FlagName): Code {
  switch (flag) {
    case "CF":
      return isNegative(carry);
    case "PF":
      // Even parity of the low byte, inverted by bit 9 of flagAux.
      return and32(
        xor32(
          op("i32.popcnt", and32(readSlot32(STATE.flagResult), i32(0xff))),
          xor32(i32(1), op("i32.shr_u", aux32, i32(9))),
        ),
        i32(1),
      );
    case "AF":
      return wrap(and64(op("i64.shr_u", carry, aux64), i64(1)));
    case "ZF":
      return op("i64.eqz", result);
    case "SF":
      return isNegative(signWord);
    case "OF":
      return isNegative(overflowWord);
    default:
      return unreachable(flag);
  }
}

/** i32 0 or 1. Conditions come in pairs; the odd one is the negation. */
export function condition(code: ConditionCode): Code {
  const pair = PAIRS[code >> 1] as Code;
  return code & 1 ? not32(pair) : pair;
}

const less = isNegative(xor64(signWord, overflowWord));
const PAIRS: readonly Code[] = [
  readFlag("OF"),
  readFlag("CF"),
  readFlag("ZF"),
  or32(readFlag("CF"), readFlag("ZF")),
  readFlag("SF"),
  readFlag("PF"),
  less,
  or32(readFlag("ZF"), less),
];

const shiftOf = (size: Size): number => 64 - size * 8;

function signExtend(value: Code, size: Size): Code {
  if (size === 8) return value;
  return op(size === 1 ? "i64.extend8_s" : size === 2 ? "i64.extend16_s" : "i64.extend32_s", value);
}

/** How often setFlags evaluates a, b and the result. */
export function flagOperandUses(operation: FlagOperation): readonly [number, number, number] {
  if (operation === "logic") return [0, 0, 1];
  return operation === "shift" ? [2, 1, 1] : [2, 2, 2];
}

/** Carries out of each bit of x + y = sum (with or without carry in), moved to the top of the word. */
function carries(x: Code, y: Code, sum: Code, size: Size): Code {
  const vector = or64(and64(x, y), and64(or64(x, y), xor64(sum, i64(-1))));
  return toTop(vector, size);
}

const toTop = (vector: Code, size: Size): Code => (size === 8 ? vector : shl64(vector, shiftOf(size)));

function write(vector: Code, value: Code, size: Size): Code {
  return seq(
    writeSlot(STATE.flagCarry, vector),
    writeSlot(STATE.flagResult, signExtend(value, size)),
    writeSlot32(STATE.flagAux, i32(67 - size * 8)),
  );
}

/** Flags of a sum or difference whose carries or borrows out of each bit are known. */
export const setFlagsFromCarries = (size: Size, carries: Code, value: Code): Code =>
  write(toTop(carries, size), value, size);

/** Operand codes are evaluated as often as flagOperandUses says. `scratch` keeps an i64. */
export function setFlags(
  operation: FlagOperation,
  size: Size,
  a: Code,
  b: Code,
  value: Code,
  scratch: { set(value: Code): Code; readonly get: Code },
): Code {
  const lazy = (vector: Code): Code => write(vector, value, size);
  switch (operation) {
    case "logic":
      return seq(
        writeSlot(STATE.flagResult, signExtend(value, size)),
        writeSlot(STATE.flagCarry, i64(0)),
        writeSlot32(STATE.flagAux, i32(67 - size * 8)),
      );
    case "shift":
      // Bit 63 is CF, bit 62 differs from it if OF is set.
      return lazy(or64(shl64(a, 63), shl64(xor64(a, b), 62)));
    case "add":
    case "adc":
      return lazy(carries(a, b, value, size));
    case "sub":
    case "sbb":
      return lazy(carries(value, b, a, size));
    case "inc":
    case "dec": {
      // CF stays: where the new vector's top bit differs from the old one, flip it and the bit below, which keeps OF.
      const vector = operation === "inc" ? carries(a, b, value, size) : carries(value, b, a, size);
      const differs = op("i64.shr_s", xor64(scratch.get, carry), i64(63));
      return seq(scratch.set(vector), lazy(xor64(scratch.get, and64(differs, i64(3n << 62n)))));
    }
    default:
      return unreachable(operation);
  }
}

const bit = (value: Code): Code => and32(value, i32(1));

/** `value` is i32 0 or 1 and evaluated once. */
export function writeFlag(
  flag: FlagName,
  value: Code,
  compose: Code,
  writeArithmeticFlags: (flags: Code) => Code,
): Code {
  switch (flag) {
    case "CF":
      // Flipping bits 63 and 62 together keeps OF.
      return writeSlot(
        STATE.flagCarry,
        xor64(carry, op("i64.mul", extendU(xor32(readFlag("CF"), value)), i64(3n << 62n))),
      );
    case "OF":
      return writeSlot(STATE.flagCarry, xor64(carry, shl64(extendU(xor32(readFlag("OF"), value)), 62)));
    case "AF":
      return writeSlot(STATE.flagCarry, xor64(carry, op("i64.shl", extendU(xor32(readFlag("AF"), value)), aux64)));
    case "SF":
      return writeSlot32(STATE.flagAux, xor32(aux32, op("i32.shl", xor32(readFlag("SF"), value), i32(8))));
    case "PF":
      return writeSlot32(STATE.flagAux, xor32(aux32, op("i32.shl", xor32(readFlag("PF"), value), i32(9))));
    case "ZF":
      return writeArithmeticFlags(or64(and64(compose, i64(~0x40n)), shl64(extendU(bit(value)), 6)));
    default:
      return unreachable(flag);
  }
}

/** RFLAGS in architectural form, i64. */
export const composeFlags: Code = op(
  "i64.extend_i32_u",
  [
    ["CF", 0],
    ["PF", 2],
    ["AF", 4],
    ["ZF", 6],
    ["SF", 7],
    ["OF", 11],
  ].reduce(
    (flags: Code, [flag, position]) => or32(flags, op("i32.shl", readFlag(flag as FlagName), i32(position as number))),
    readSlot32(STATE.systemFlags),
  ),
);

/**
 * The six flags from an RFLAGS value: a canonical form in which ZF decides the result (0 or 1) and the inversion bits make up for SF
 * and PF. `flags` is evaluated several times.
 */
export function writeArithmeticFlags(flags: Code): Code {
  const at = (position: number): Code => and64(shrU64(flags, position), i64(1));
  const zero = at(6);
  return seq(
    // AF at bit 59, as after a byte operation.
    writeSlot(STATE.flagCarry, or64(or64(shl64(at(0), 63), shl64(xor64(at(0), at(11)), 62)), shl64(at(4), 59))),
    writeSlot(STATE.flagResult, xor64(zero, i64(1))),
    writeSlot(STATE.flagAux, or64(i64(59), or64(shl64(at(7), 8), shl64(xor64(at(2), zero), 9)))),
  );
}
