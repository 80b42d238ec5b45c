// SSE and SSE2 data movement: whole vectors, scalars, halves, general registers, masks, non-temporal stores.
// Non-temporal hints have no effect on what a program sees, so they are plain stores.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { fromQuads, generalSize, quad, SSE, SSE2, sseInstruction, zeroExtend } from "./sse-common.ts";

const move = (aligned: "always" | false): Semantics =>
  sseInstruction((i) => i.writeVector(0, i.readVector(1, aligned), aligned));
const aligned = move("always");
const unaligned = move(false);

/** A scalar load from memory clears the rest of the register; between registers the rest stays. */
const moveScalar = (size: 4 | 8): Semantics =>
  sseInstruction((i) => {
    const value = i.readScalar(1, size);
    if (i.isMemory(1)) i.writeVector(0, zeroExtend(i, value));
    else i.writeScalar(0, size, value);
  });

const loadLow = sseInstruction((i) => i.writeScalar(0, 8, i.readScalar(1, 8)));
const loadHigh = sseInstruction((i) => {
  const high = i.readScalar(1, 8);
  i.writeVector(0, i.pure("i64x2.replace_lane", [i.readVector(0), high], [1]));
});
const storeLow = sseInstruction((i) => i.writeScalar(0, 8, i.readScalar(1, 8)));
const storeHigh = sseInstruction((i) => i.store(8, i.address(0), quad(i, i.readVector(1), 1)));
const highToLow = sseInstruction((i) => i.writeScalar(0, 8, quad(i, i.readVector(1), 1)));
const lowToHigh = sseInstruction((i) => {
  i.writeVector(0, fromQuads(i, quad(i, i.readVector(0), 0), quad(i, i.readVector(1), 0)));
});

const generalToVector = sseInstruction((i) => i.writeVector(0, zeroExtend(i, i.read(1))));
const vectorToGeneral = sseInstruction((i) => i.write(0, i.mask(i.readScalar(1, scalarSize(i)), generalSize(i, 0))));
const quadToVector = sseInstruction((i) => i.writeVector(0, zeroExtend(i, i.readScalar(1, 8))));
const quadFromVector = sseInstruction((i) => {
  const value = i.readScalar(1, 8);
  if (i.isMemory(0)) i.store(8, i.address(0), value);
  else i.writeVector(0, zeroExtend(i, value));
});

const moveMask = (name: "i8x16.bitmask" | "i32x4.bitmask" | "i64x2.bitmask"): Semantics =>
  sseInstruction((i) => i.write(0, i.widen(i.pure(name, [i.readVector(1)]))));

/** DS:rDI, where MASKMOVDQU and MASKMOVQ store. A segment override is not taken into account. */
export function byteMaskAddress(i: InstructionBuilder): Value {
  const offset = i.readGeneral(7, i.form.addressSize);
  if (i.form.mode === "64") return offset;
  return i.mask(i.add(offset, i.readSegment(i.form.segment, "base")), 4);
}

/** Stores the bytes of operand 0 whose mask byte (operand 1) has its top bit set. */
const maskedStore = sseInstruction((i) => {
  const data = i.readVector(0);
  const mask = i.pure("i8x16.bitmask", [i.readVector(1)]);
  i.callHelper("sseMaskedStore", [byteMaskAddress(i), quad(i, data, 0), quad(i, data, 1), i.widen(mask)]);
});

function scalarSize(i: InstructionBuilder): 4 | 8 {
  return generalSize(i, 0) === 8 ? 8 : 4;
}

export const SSE_MOVE_ROWS: readonly InstructionRow[] = [
  row("MOVUPS", "NP 0F 10", "Vps,Wps", unaligned, SSE),
  row("MOVUPS", "NP 0F 11", "Wps,Vps", unaligned, SSE),
  row("MOVUPD", "66 0F 10", "Vpd,Wpd", unaligned, SSE2),
  row("MOVUPD", "66 0F 11", "Wpd,Vpd", unaligned, SSE2),
  row("MOVSS", "F3 0F 10", "Vss,Wss", moveScalar(4), SSE),
  row("MOVSS", "F3 0F 11", "Wss,Vss", moveScalar(4), SSE),
  row("MOVSD", "F2 0F 10", "Vsd,Wsd", moveScalar(8), SSE2),
  row("MOVSD", "F2 0F 11", "Wsd,Vsd", moveScalar(8), SSE2),
  row("MOVLPS", "NP 0F 12", "Vq,Mq", loadLow, SSE),
  row("MOVHLPS", "NP 0F 12", "Vq,Uq", highToLow, SSE),
  row("MOVLPS", "NP 0F 13", "Mq,Vq", storeLow, SSE),
  row("MOVLPD", "66 0F 12", "Vq,Mq", loadLow, SSE2),
  row("MOVLPD", "66 0F 13", "Mq,Vq", storeLow, SSE2),
  row("MOVHPS", "NP 0F 16", "Vq,Mq", loadHigh, SSE),
  row("MOVLHPS", "NP 0F 16", "Vq,Uq", lowToHigh, SSE),
  row("MOVHPS", "NP 0F 17", "Mq,Vq", storeHigh, SSE),
  row("MOVHPD", "66 0F 16", "Vq,Mq", loadHigh, SSE2),
  row("MOVHPD", "66 0F 17", "Mq,Vq", storeHigh, SSE2),
  row("MOVAPS", "NP 0F 28", "Vps,Wps", aligned, SSE),
  row("MOVAPS", "NP 0F 29", "Wps,Vps", aligned, SSE),
  row("MOVAPD", "66 0F 28", "Vpd,Wpd", aligned, SSE2),
  row("MOVAPD", "66 0F 29", "Wpd,Vpd", aligned, SSE2),
  row("MOVDQA", "66 0F 6F", "Vdq,Wdq", aligned, SSE2),
  row("MOVDQA", "66 0F 7F", "Wdq,Vdq", aligned, SSE2),
  row("MOVDQU", "F3 0F 6F", "Vdq,Wdq", unaligned, SSE2),
  row("MOVDQU", "F3 0F 7F", "Wdq,Vdq", unaligned, SSE2),

  row("MOVNTPS", "NP 0F 2B", "Mdq,Vps", aligned, SSE),
  row("MOVNTPD", "66 0F 2B", "Mdq,Vpd", aligned, SSE2),
  row("MOVNTDQ", "66 0F E7", "Mdq,Vdq", aligned, SSE2),
  row("MASKMOVDQU", "66 0F F7", "Vdq,Udq", maskedStore, { ...SSE2, cold: true, modal: true, addressSized: true }),

  row("MOVD", "66 0F 6E", "Vdq,Ey", generalToVector, SSE2),
  row("MOVD", "66 0F 7E", "Ey,Vdq", vectorToGeneral, SSE2),
  row("MOVQ", "F3 0F 7E", "Vq,Wq", quadToVector, SSE2),
  row("MOVQ", "66 0F D6", "Wq,Vq", quadFromVector, SSE2),

  row("MOVMSKPS", "NP 0F 50", "Gd,Ups", moveMask("i32x4.bitmask"), SSE),
  row("MOVMSKPD", "66 0F 50", "Gd,Upd", moveMask("i64x2.bitmask"), SSE2),
  row("PMOVMSKB", "66 0F D7", "Gd,Udq", moveMask("i8x16.bitmask"), SSE2),
];
