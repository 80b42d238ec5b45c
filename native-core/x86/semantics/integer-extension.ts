// Later integer instructions: MOVBE, ADCX, ADOX, CRC32, RDRAND, RDSEED, RDPID.
import type { Size } from "../../ir/nodes.ts";
import { type ArithmeticFlag, type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { STATE } from "../state-layout.ts";
import { swapBytes64 } from "./bit.ts";

/** MOVBE: a move through swapped bytes, of two, four or eight. */
const moveSwapped: Semantics = (i) => {
  const swapped = swapBytes64(i, i.read(1));
  i.write(0, i.size === 8 ? swapped : i.shrU(swapped, i.i64(64 - i.bits)));
};

/** ADCX and ADOX: an addition that carries through one flag and leaves all others alone, so that two chains can run side by side. */
const addThrough =
  (flag: "CF" | "OF"): Semantics =>
  (i) => {
    const b = i.read(1);
    const a = i.read(0);
    const sum = i.add(i.add(a, b), i.widen(i.readFlag(flag)));
    const carry =
      i.size === 8 ? i.shrU(i.or(i.and(a, b), i.and(i.or(a, b), i.not(sum))), i.i64(63)) : i.shrU(sum, i.i64(i.bits));
    i.write(0, sum);
    i.writeFlag(flag, i.narrow(carry));
  };

/** CRC32-C of 1 to 8 bytes on top of the destination's low half; the upper half becomes zero. */
const crc32: Semantics = (i) => {
  const operand = i.operand(1);
  const bytes = operand.kind === "general" || operand.kind === "memory" ? (operand.size as Size) : 1;
  const data = i.read(1);
  const crc = i.and(i.read(0), i.i64(0xffff_ffff));
  i.write(0, i.pure("i64.crc32c", [crc, data, i.i32(bytes)]));
};

/** CF says that a number was there: it always is. The platform makes numbers (Platform.random). */
const random: Semantics = (i) => {
  i.write(0, i.callHelper("random"));
  i.setFlags("shift", 8, i.i64(1), i.i64(0), i.i64(1)); // CF; OF SF ZF AF PF cleared
};

const processorId: Semantics = (i) => i.write(0, i.readState(STATE.tscAux));

const flagOnly = (flag: ArithmeticFlag): RowTraits => ({ feature: "adx", reads: [flag], writes: [flag] });
const RANDOM: RowTraits = { cold: true, writes: ["CF", "PF", "AF", "ZF", "SF", "OF"] };

export const INTEGER_EXTENSION_ROWS: readonly InstructionRow[] = [
  row("MOVBE", "NP 0F 38 F0", "Gv,Mv", moveSwapped, { feature: "movbe" }),
  row("MOVBE", "66 0F 38 F0", "Gv,Mv", moveSwapped, { feature: "movbe" }),
  row("MOVBE", "NP 0F 38 F1", "Mv,Gv", moveSwapped, { feature: "movbe" }),
  row("MOVBE", "66 0F 38 F1", "Mv,Gv", moveSwapped, { feature: "movbe" }),
  row("CRC32", "F2 0F 38 F0", "Gd,Eb", crc32, { feature: "sse4.2" }),
  row("CRC32", "F2 0F 38 F1", "Gd,Ev", crc32, { feature: "sse4.2" }),
  row("ADCX", "66 0F 38 F6", "Gy,Ey", addThrough("CF"), flagOnly("CF")),
  row("ADOX", "F3 0F 38 F6", "Gy,Ey", addThrough("OF"), flagOnly("OF")),
  row("RDRAND", "NP 0F C7 /6", "Rv", random, { ...RANDOM, feature: "rdrand" }),
  row("RDRAND", "66 0F C7 /6", "Rv", random, { ...RANDOM, feature: "rdrand" }),
  row("RDSEED", "NP 0F C7 /7", "Rv", random, { ...RANDOM, feature: "rdseed" }),
  row("RDSEED", "66 0F C7 /7", "Rv", random, { ...RANDOM, feature: "rdseed" }),
  row("RDPID", "F3 0F C7 /7", "Rq", processorId, { feature: "rdpid", mode: "64" }),
  row("RDPID", "F3 0F C7 /7", "Rd", processorId, { feature: "rdpid", mode: "legacy" }),
];
