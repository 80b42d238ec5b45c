// Saving and loading SSE state: MXCSR alone, or all of x87 and SSE (FXSAVE, FXRSTOR; a helper writes the 512-byte image).
import { CR0, VECTOR } from "../registers.ts";
import { type InstructionRow, row, type Semantics } from "../row.ts";
import { STATE } from "../state-layout.ts";
import { SSE, sseInstruction } from "./sse-common.ts";

const MXCSR_RESERVED = 0xffff_0000;

/** #GP(0) for reserved bits. Pending unmasked flags do not fault here (SDM 1 11.6.4). */
const loadMxcsr = sseInstruction((i) => {
  const value = i.load(4, i.address(0));
  i.if(i.isNonZero(i.and(value, i.i64(MXCSR_RESERVED))), () => i.raise(VECTOR.GP, i.i64(0)));
  i.writeState(STATE.mxcsr, value);
});

const storeMxcsr = sseInstruction((i) => i.store(4, i.address(0), i.readState(STATE.mxcsr)));

/** FXSAVE and FXRSTOR do not depend on CR4.OSFXSR: #UD if CR0.EM, #NM if CR0.TS. The image is 16-byte aligned. */
const image =
  (helper: "fxsave" | "fxrstor"): Semantics =>
  (i) => {
    const cr0 = i.readState(STATE.cr0);
    i.if(i.isNonZero(i.and(cr0, i.i64(CR0.EM))), () => i.raise(VECTOR.UD));
    i.if(i.isNonZero(i.and(cr0, i.i64(CR0.TS))), () => i.raise(VECTOR.NM));
    const address = i.address(0);
    i.requireAligned(address, 16);
    const wide = i.size === 8 ? 1 : 0;
    i.callHelper(helper, [address, i.i64(wide), i.i64(i.form.mode === "64" ? 16 : 8)]);
  };

export const SSE_STATE_ROWS: readonly InstructionRow[] = [
  row("LDMXCSR", "NP 0F AE /2", "Md", loadMxcsr, SSE),
  row("STMXCSR", "NP 0F AE /3", "Md", storeMxcsr, SSE),
  row("FXSAVE", "NP 0F AE /0", "M", image("fxsave"), { feature: "fxsr", cold: true, sized: true, modal: true }),
  row("FXRSTOR", "NP 0F AE /1", "M", image("fxrstor"), { feature: "fxsr", cold: true, sized: true, modal: true }),
];
