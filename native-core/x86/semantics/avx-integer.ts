// What AVX and AVX2 add on whole vectors: shifts by a count per lane, VTESTPx and VPTEST at 256 bits, masked moves.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { AVX, AVX2, inHalves } from "./avx-lane.ts";
import { fromQuads, quad, sseInstruction } from "./sse-common.ts";
import { setZeroAndCarry } from "./sse41-integer.ts";

const both = (mnemonic: string, opcode: string, operands: string, semantics: Semantics, traits: RowTraits) =>
  (["128", "256"] as const).map((length) => row(mnemonic, `VEX.${length}.${opcode}`, operands, semantics, traits));

// --- shifts --------------------------------------------------------------------------------------------------------------------

type Shift = "shl" | "shr_u" | "shr_s";

/** Each lane by its own count; counts that reach the lane width shift everything out, or leave the sign. */
const shiftEach = (laneBits: 32 | 64, kind: Shift): Semantics =>
  inHalves((i, a, counts) => {
    const lanes = Array.from({ length: 128 / laneBits }, (_, n) => shiftLane(i, laneBits, kind, a, counts, n));
    if (laneBits === 64) return fromQuads(i, lanes[0] as Value, lanes[1] as Value);
    return lanes.reduce((vector, lane, n) => i.pure("i32x4.replace_lane", [vector, i.narrow(lane)], [n]), i.v128(0n));
  });

/** As i64, of which the low `laneBits` bits count. 32-bit lanes are shifted as 64-bit ones, where counts up to 63 do. */
function shiftLane(i: InstructionBuilder, laneBits: 32 | 64, kind: Shift, a: Value, counts: Value, n: number): Value {
  const extract = (vector: Value): Value =>
    laneBits === 64
      ? i.pure("i64x2.extract_lane", [vector], [n])
      : i.widen(i.pure("i32x4.extract_lane", [vector], [n]));
  const count = extract(counts);
  const value = kind === "shr_s" ? i.signExtend(extract(a), laneBits === 64 ? 8 : 4) : extract(a);
  const inRange = i.ltU(count, i.i64(laneBits));
  if (kind === "shr_s") return i.shrS(value, i.select(inRange, count, i.i64(laneBits - 1)));
  const shifted = kind === "shl" ? i.shl(value, count) : i.shrU(value, count);
  return i.select(inRange, shifted, i.i64(0));
}

// --- tests ---------------------------------------------------------------------------------------------------------------------

/** ZF: the operands have no bit of `mask` in common; CF: the source has none that the destination lacks. */
const test = (mask: bigint): Semantics =>
  sseInstruction((i) => {
    const isWide = i.form.vectorLength === 32;
    const source = isWide ? i.readWide(1) : [i.readVector(1)];
    const destination = isWide ? i.readWide(0) : [i.readVector(0)];
    const any = (name: "v128.and" | "v128.andnot"): Value =>
      source
        .map((half, n) => i.pure("v128.and", [i.pure(name, [half, destination[n] as Value]), i.v128(mask)]))
        .reduce((a, b) => i.pure("v128.or", [a, b]));
    const common = i.pure("v128.any_true", [any("v128.and")]);
    const covered = i.pure("i32.eqz", [i.pure("v128.any_true", [any("v128.andnot")])]);
    setZeroAndCarry(i, common, i.widen(covered));
  });

const ALL_BITS = (1n << 128n) - 1n;
const SIGNS_32 = 0x8000_0000_8000_0000_8000_0000_8000_0000n;
const SIGNS_64 = 0x8000_0000_0000_0000_8000_0000_0000_0000n;
const FLAGS: RowTraits = { ...AVX, writes: ["CF", "PF", "AF", "ZF", "SF", "OF"] };

// --- masked moves ----------------------------------------------------------------------------------------------------------------

/** One bit for each lane of a mask whose top bit is set, lowest lane first, as i64. */
function laneBitsOf(i: InstructionBuilder, n: number, laneBits: 32 | 64): Value {
  const name = laneBits === 32 ? "i32x4.bitmask" : "i64x2.bitmask";
  if (i.form.vectorLength !== 32) return i.widen(i.pure(name, [i.readVector(n)]));
  const [low, high] = i.readWide(n);
  const upper = i.shl(i.widen(i.pure(name, [high])), i.i64(128 / laneBits));
  return i.or(i.widen(i.pure(name, [low])), upper);
}

/** Only lanes that the mask selects are read, the others become zero: as a rule one access does, the helper goes lane by lane. */
const maskedLoad = (laneBits: 32 | 64): Semantics =>
  sseInstruction((i) => {
    const wide = i.form.vectorLength === 32;
    const address = i.address(2);
    const low = i.variable(i.v128(0n));
    const high = i.variable(i.v128(0n));
    const bits = laneBitsOf(i, 1, laneBits);
    const count = (wide ? 256 : 128) / laneBits;
    i.if(
      i.eq(bits, i.i64(2 ** count - 1)),
      () => {
        i.set(low, i.load(16, address));
        if (wide) i.set(high, i.load(16, i.add(address, i.i64(16))));
      },
      () => {
        for (let n = 0; n < count; n++) {
          i.if(i.isNonZero(i.and(bits, i.i64(1 << n))), () => {
            const target = n * laneBits < 128 ? low : high;
            const bytes = laneBits / 8;
            const lane = i.load(laneBits === 32 ? 4 : 8, i.add(address, i.i64(n * bytes)));
            const at = n % (128 / laneBits);
            const replaced =
              laneBits === 32
                ? i.pure("i32x4.replace_lane", [i.get(target), i.narrow(lane)], [at])
                : i.pure("i64x2.replace_lane", [i.get(target), lane], [at]);
            i.set(target, replaced);
          });
        }
      },
    );
    if (wide) i.writeWide(0, i.get(low), i.get(high));
    else i.writeVector(0, i.get(low));
  });

/** All selected lanes can be written before the first is. */
const maskedStore = (laneBits: 32 | 64): Semantics =>
  sseInstruction((i) => {
    const wide = i.form.vectorLength === 32;
    const address = i.address(0);
    const halves = wide ? i.readWide(2) : [i.readVector(2)];
    const bits = laneBitsOf(i, 1, laneBits);
    const bytes = laneBits / 8;
    const perHalf = 128 / laneBits;
    const count = halves.length * perHalf;
    const laneAddress = (n: number): Value => i.add(address, i.i64(n * bytes));
    const eachSelected = (body: (n: number) => void): void => {
      for (let n = 0; n < count; n++) i.if(i.isNonZero(i.and(bits, i.i64(1 << n))), () => body(n));
    };
    const last = i.add(address, i.i64(count * bytes - 1));
    i.if(i.isNonZero(i.shrU(i.xor(address, last), i.i64(12))), () => {
      eachSelected((n) => i.requireWritable(laneAddress(n), bytes));
    });
    eachSelected((n) => {
      const half = halves[Math.floor(n / perHalf)] as Value;
      const lane = n % perHalf;
      const value =
        laneBits === 32 ? i.widen(i.pure("i32x4.extract_lane", [half], [lane])) : quad(i, half, lane === 0 ? 0 : 1);
      i.store(laneBits === 32 ? 4 : 8, laneAddress(n), value);
    });
  });

const masked = (mnemonic: string, w: string, load: string, store: string, laneBits: 32 | 64, traits: RowTraits) => [
  ...both(mnemonic, `66.0F38.${w} ${load}`, "Vx,Hx,Mx", maskedLoad(laneBits), traits),
  ...both(mnemonic, `66.0F38.${w} ${store}`, "Mx,Hx,Vx", maskedStore(laneBits), traits),
];

export const AVX_INTEGER_ROWS: readonly InstructionRow[] = [
  ...both("VPSLLVD", "66.0F38.W0 47", "Vx,Hx,Wx", shiftEach(32, "shl"), AVX2),
  ...both("VPSLLVQ", "66.0F38.W1 47", "Vx,Hx,Wx", shiftEach(64, "shl"), AVX2),
  ...both("VPSRLVD", "66.0F38.W0 45", "Vx,Hx,Wx", shiftEach(32, "shr_u"), AVX2),
  ...both("VPSRLVQ", "66.0F38.W1 45", "Vx,Hx,Wx", shiftEach(64, "shr_u"), AVX2),
  ...both("VPSRAVD", "66.0F38.W0 46", "Vx,Hx,Wx", shiftEach(32, "shr_s"), AVX2),
  row("VPTEST", "VEX.256.66.0F38 17", "Vx,Wx", test(ALL_BITS), FLAGS),
  ...both("VTESTPS", "66.0F38.W0 0E", "Vps,Wps", test(SIGNS_32), FLAGS),
  ...both("VTESTPD", "66.0F38.W0 0F", "Vpd,Wpd", test(SIGNS_64), FLAGS),
  ...masked("VMASKMOVPS", "W0", "2C", "2E", 32, AVX),
  ...masked("VMASKMOVPD", "W0", "2D", "2F", 64, AVX),
  ...masked("VPMASKMOVD", "W0", "8C", "8E", 32, AVX2),
  ...masked("VPMASKMOVQ", "W1", "8C", "8E", 64, AVX2),
];
