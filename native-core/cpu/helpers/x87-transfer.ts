// x87 loads, stores, exchanges and constants (SDM 1 8.3.3). A store checks and writes memory before anything of the x87 changes, so that
// a page fault leaves no trace.
import type { CpuContext, Helper } from "../context.ts";
import {
  DOUBLE,
  encode,
  FLOAT_FLAGS,
  type Format,
  finite,
  type Rounding,
  round,
  roundToQuantum,
  SINGLE,
} from "./soft-float.ts";
import { instruction, type SourceType, widen } from "./x87-core.ts";
import { DEFAULT_NAN, decodeExtended, type ExtendedFloat, encodeExtended, quiet } from "./x87-float.ts";
import { X87 } from "./x87-state.ts";

const { IE, OE, UE, PE } = FLOAT_FLAGS;
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

// --- loads -------------------------------------------------------------------------------------------------------------

const load = (type: SourceType): Helper =>
  instruction((x87, _cpu, bits = 0n) => {
    const value = widen(x87, type, bits);
    if (value.signalling) x87.flags |= IE;
    // A full stack goes before what the operand would signal.
    if (!x87.isEmpty(7)) x87.flags = 0;
    else if (!x87.masks(x87.flags & IE)) return; // a denormal is loaded all the same
    x87.push(value.kind === "nan" ? quiet(value.bits) : value.bits);
  });

const loadExtended: Helper = instruction((x87, cpu, address = 0n) => {
  const low = cpu.memory.read(u64(address), 8);
  const high = cpu.memory.read(u64(address + 8n), 2);
  x87.push(low | (high << 64n));
});

const loadRegister: Helper = instruction((x87, _cpu, n = 0n) => {
  if (!x87.isEmpty(Number(n))) x87.push(x87.read(Number(n)));
  else if (x87.underflow()) x87.pushMasked(DEFAULT_NAN);
});

/** Packed decimal: 18 digits, then the sign. */
const loadDecimal: Helper = instruction((x87, cpu, address = 0n) => {
  const low = cpu.memory.read(u64(address), 8);
  const high = cpu.memory.read(u64(address + 8n), 2);
  let value = 0n;
  for (let n = 17; n >= 0; n--) {
    const digit = n < 16 ? (low >> BigInt(4 * n)) & 15n : (high >> BigInt(4 * (n - 16))) & 15n;
    value = value * 10n + digit;
  }
  x87.push(encodeExtended(finite((high & 0x8000n) !== 0n, value, 0)));
});

/**
 * Constants with more bits than fit: the significand rounded down, and whether the nearest is one more. Rounding control applies
 * (SDM 2A FLD1).
 */
const CONSTANTS: Record<string, readonly [exponent: bigint, down: bigint, nearestIsUp: boolean]> = {
  l2t: [0x4000n, 0xd49a_784b_cd1b_8afen, false],
  l2e: [0x3fffn, 0xb8aa_3b29_5c17_f0bbn, true],
  pi: [0x4000n, 0xc90f_daa2_2168_c234n, true],
  lg2: [0x3ffdn, 0x9a20_9a84_fbcf_f798n, true],
  ln2: [0x3ffen, 0xb172_17f7_d1cf_79abn, true],
};

function constantHelpers(): Record<string, Helper> {
  const helpers: Record<string, Helper> = {
    x87_load_zero: instruction((x87) => x87.push(0n)),
    x87_load_one: instruction((x87) => x87.push((0x3fffn << 64n) | (1n << 63n))),
  };
  for (const [name, [exponent, down, nearestIsUp]] of Object.entries(CONSTANTS)) {
    helpers[`x87_load_${name}`] = instruction((x87) => {
      const up = x87.rounding === 2 || (x87.rounding === 0 && nearestIsUp);
      x87.push((exponent << 64n) | (up ? down + 1n : down));
    });
  }
  return helpers;
}

// --- stores ------------------------------------------------------------------------------------------------------------

/** Memory bits of ST(0); undefined where an unmasked exception stops the store. */
type Converter = (x87: X87, value: ExtendedFloat) => bigint | undefined;

const toFloat =
  (format: Format): Converter =>
  (x87, value) => {
    if (value.unsupported) return invalidStore(x87, format);
    if (value.kind === "nan") {
      if (value.signalling) x87.flags |= IE;
      if (!x87.masks(x87.flags)) return undefined;
      const fraction = (quiet(value.bits) & ((1n << 63n) - 1n)) >> BigInt(64 - format.precision);
      return encode(format, { ...value, significand: fraction });
    }
    if (value.kind !== "finite") return encode(format, value);
    const context = x87.rounder();
    const result = round(format, context, value.negative, value.significand, value.exponent);
    x87.flags |= context.post;
    if (context.post & (OE | UE) & ~x87.control) {
      x87.flags &= ~PE;
      return undefined;
    }
    x87.c1 = context.roundedUp;
    return encode(format, result);
  };

function invalidStore(x87: X87, format: Format): bigint | undefined {
  x87.flags |= IE;
  if (!x87.masks(IE)) return undefined;
  return encode(format, { ...decodeExtended(DEFAULT_NAN), significand: 1n << BigInt(format.precision - 2) });
}

const toInteger =
  (bits: number, rounding?: Rounding): Converter =>
  (x87, value) => {
    const limit = 1n << BigInt(bits - 1);
    if (value.kind === "zero") return 0n;
    if (value.kind === "finite" && !value.unsupported) {
      const mode = rounding ?? x87.rounding;
      const { significand, inexact, up } = roundToQuantum(
        mode,
        value.negative,
        value.significand,
        value.exponent,
        false,
        0,
      );
      if (significand < limit || (significand === limit && value.negative)) {
        if (inexact) x87.flags |= PE;
        x87.c1 = up;
        return BigInt.asUintN(bits, value.negative ? -significand : significand);
      }
    }
    x87.flags |= IE;
    return x87.masks(IE) ? limit : undefined;
  };

const DECIMAL_INDEFINITE = 0xffff_c000_0000_0000_0000n;

const toDecimal: Converter = (x87, value) => {
  const sign = value.negative ? 1n << 79n : 0n;
  if (value.kind === "zero") return sign;
  if (value.kind === "finite" && !value.unsupported) {
    const rounded = roundToQuantum(x87.rounding, value.negative, value.significand, value.exponent, false, 0);
    if (rounded.significand < 10n ** 18n) {
      if (rounded.inexact) x87.flags |= PE;
      x87.c1 = rounded.up;
      return sign | BigInt(`0x${rounded.significand}`);
    }
  }
  x87.flags |= IE;
  return x87.masks(IE) ? DECIMAL_INDEFINITE : undefined;
};

/** What a masked stack underflow stores: the format's default NaN or indefinite. */
function store(convert: Converter, bytes: 2 | 4 | 8 | 10, indefinite: bigint): (pop: boolean) => Helper {
  return (pop) =>
    instruction((x87, cpu, address = 0n) => {
      const bits = x87.isEmpty(0)
        ? x87.underflow()
          ? indefinite
          : undefined
        : convert(x87, decodeExtended(x87.read(0)));
      if (bits === undefined) return;
      writeMemory(cpu, u64(address), bytes, bits);
      if (pop) x87.pop();
    });
}

function writeMemory(cpu: CpuContext, address: bigint, bytes: 2 | 4 | 8 | 10, bits: bigint): void {
  if (bytes !== 10) return cpu.memory.write(address, bytes, bits);
  const image = new Uint8Array(10);
  for (let n = 0; n < 10; n++) image[n] = Number((bits >> BigInt(8 * n)) & 0xffn);
  cpu.memory.writeBytes(address, image);
}

/** Rounding of FISTTP, whatever the control word says. */
const TRUNCATE: Rounding = 3;

const SINGLE_NAN = 0xffc0_0000n;
const DOUBLE_NAN = 0xfff8_0000_0000_0000n;

const STORES: Record<string, (pop: boolean) => Helper> = {
  f32: store(toFloat(SINGLE), 4, SINGLE_NAN),
  f64: store(toFloat(DOUBLE), 8, DOUBLE_NAN),
  f80: store((_, value) => value.bits, 10, DEFAULT_NAN),
  i16: store(toInteger(16), 2, 1n << 15n),
  i32: store(toInteger(32), 4, 1n << 31n),
  i64: store(toInteger(64), 8, 1n << 63n),
  decimal: store(toDecimal, 10, DECIMAL_INDEFINITE),
};

// --- registers ---------------------------------------------------------------------------------------------------------

/** ST(n) = ST(0). */
const storeRegister = (pop: boolean): Helper =>
  instruction((x87, _cpu, n = 0n) => {
    if (!x87.isEmpty(0)) x87.write(Number(n), x87.read(0));
    else if (x87.underflow()) x87.write(Number(n), DEFAULT_NAN);
    else return;
    if (pop) x87.pop();
  });

/** FSTP D9 /3, known as FSTPNCE: an empty ST(0) is no underflow, and nothing is stored. */
const storeUnchecked: Helper = instruction((x87, _cpu, n = 0n) => {
  if (!x87.isEmpty(0)) x87.write(Number(n), x87.read(0));
  x87.pop();
});

const exchange: Helper = instruction((x87, _cpu, n = 0n) => {
  const i = Number(n);
  if ((x87.isEmpty(0) || x87.isEmpty(i)) && !x87.underflow()) return;
  const a = x87.isEmpty(0) ? DEFAULT_NAN : x87.read(0);
  const b = x87.isEmpty(i) ? DEFAULT_NAN : x87.read(i);
  x87.write(0, b);
  x87.write(i, a);
});

/** FCMOVcc: `condition` is 0 or 1. An empty register is an underflow even if nothing is moved. */
const moveIf: Helper = instruction((x87, _cpu, n = 0n, condition = 0n) => {
  const i = Number(n);
  x87.keepC1();
  if (x87.isEmpty(0) || x87.isEmpty(i)) {
    if (x87.underflow()) x87.write(0, DEFAULT_NAN);
  } else if (condition) x87.write(0, x87.read(i));
});

const free = (pop: boolean): Helper =>
  instruction((x87, _cpu, n = 0n) => {
    x87.setEmpty(Number(n));
    if (pop) x87.pop();
  });

const rotate = (step: 1 | -1): Helper =>
  instruction((x87) => {
    x87.top += step;
  });

export const X87_TRANSFER_HELPERS: Record<string, Helper> = {
  ...constantHelpers(),
  ...Object.fromEntries((["f32", "f64", "i16", "i32", "i64"] as const).map((type) => [`x87_load_${type}`, load(type)])),
  x87_load_f80: loadExtended,
  x87_load_decimal: loadDecimal,
  x87_load_register: loadRegister,
  ...Object.fromEntries(
    Object.entries(STORES).flatMap(([type, make]) => [
      [`x87_store_${type}`, make(false)],
      [`x87_store_pop_${type}`, make(true)],
    ]),
  ),
  x87_truncate_pop_i16: store(toInteger(16, TRUNCATE), 2, 1n << 15n)(true),
  x87_truncate_pop_i32: store(toInteger(32, TRUNCATE), 4, 1n << 31n)(true),
  x87_truncate_pop_i64: store(toInteger(64, TRUNCATE), 8, 1n << 63n)(true),
  x87_store_register: storeRegister(false),
  x87_store_pop_register: storeRegister(true),
  x87_store_pop_unchecked: storeUnchecked,
  x87_exchange: exchange,
  x87_move_if: moveIf,
  x87_free: free(false),
  x87_free_pop: free(true),
  x87_increment_top: rotate(1),
  x87_decrement_top: rotate(-1),
};
