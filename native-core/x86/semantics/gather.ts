// AVX2 gathers: elements loaded from base + scaled lanes of an index vector. A helper goes element by element and leaves what it has done in
// the destination and the mask, so that an instruction that faulted goes on where it stopped (SDM 2C VGATHERDPS).
import { VECTOR } from "../registers.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { sseInstruction } from "./sse-common.ts";

type Bytes = 4 | 8;

/** Elements are as many as both vectors have room for. */
const gather = (indexBytes: Bytes, dataBytes: Bytes): Semantics =>
  sseInstruction((i) => {
    const destination = i.field("reg");
    const mask = i.field("vvvv");
    const index = i.field("index");
    for (const [a, b] of [
      [destination, mask],
      [destination, index],
      [mask, index],
    ] as const) {
      i.if(i.eq(a, b), () => i.raise(VECTOR.UD));
    }
    const base = i.readRegister("general", { kind: "field", field: "rm" }, 8);
    const segment = i.shrS(i.field("imm"), i.i64(24));
    const count = (i.form.vectorLength ?? 16) / Math.max(indexBytes, dataBytes);
    const registers = i.or(i.or(destination, i.shl(mask, i.i64(8))), i.shl(index, i.i64(16)));
    const shape = i.i64(indexBytes | (dataBytes << 4) | (count << 8) | (i.form.addressSize << 16));
    i.callHelper("gather", [i.add(base, i.field("disp")), i.field("scale"), segment, registers, shape]);
  });

const rows = (name: string, opcode: string, w: string, index: Bytes, data: Bytes): InstructionRow[] => {
  const semantics = gather(index, data);
  return ([16, 32] as const).map((bytes) => {
    const indexBytes = Math.min(bytes, (bytes / Math.max(index, data)) * index);
    const vector = data < index ? "dq" : "x";
    return row(
      name,
      `VEX.${bytes * 8}.66.0F38.${w} ${opcode}`,
      `V${vector},${indexBytes === 32 ? "VSIBy" : "VSIBx"},H${vector}`,
      semantics,
      { feature: "avx2", cold: true, modal: true, addressSized: true },
    );
  });
};

export const GATHER_ROWS: readonly InstructionRow[] = [
  ...rows("VPGATHERDD", "90", "W0", 4, 4),
  ...rows("VPGATHERDQ", "90", "W1", 4, 8),
  ...rows("VPGATHERQD", "91", "W0", 8, 4),
  ...rows("VPGATHERQQ", "91", "W1", 8, 8),
  ...rows("VGATHERDPS", "92", "W0", 4, 4),
  ...rows("VGATHERDPD", "92", "W1", 4, 8),
  ...rows("VGATHERQPS", "93", "W0", 8, 4),
  ...rows("VGATHERQPD", "93", "W1", 8, 8),
];
