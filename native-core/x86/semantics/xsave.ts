// The XSAVE family: images of processor state and the register that enables their components (SDM 1 chapter 13). Helpers do the work.
import type { Value } from "../../ir/nodes.ts";
import type { InstructionBuilder } from "../instruction-builder.ts";
import { CR0, CR4, VECTOR } from "../registers.ts";
import { type InstructionRow, type RowTraits, row, type Semantics } from "../row.ts";
import { STATE } from "../state-layout.ts";

const [RAX, RCX, RDX] = [0, 1, 2] as const;

function requireEnabled(i: InstructionBuilder): void {
  const enabled = i.and(i.readState(STATE.cr4), i.i64(CR4.OSXSAVE));
  i.if(i.isZero(enabled), () => i.raise(VECTOR.UD));
}

/** EDX:EAX */
function pair(i: InstructionBuilder): Value {
  return i.or(i.shl(i.readGeneral(RDX, 4), i.i64(32)), i.readGeneral(RAX, 4));
}

/** `supervisor`: for CPL 0 only. */
const image =
  (helper: "xsave" | "xsaveopt" | "xsavec" | "xrstor" | "xrstors", supervisor = false): Semantics =>
  (i) => {
    requireEnabled(i);
    if (supervisor) i.if(i.isNonZero(i.readState(STATE.cpl)), () => i.raise(VECTOR.GP, i.i64(0)));
    i.if(i.isNonZero(i.and(i.readState(STATE.cr0), i.i64(CR0.TS))), () => i.raise(VECTOR.NM));
    const address = i.address(0);
    i.requireAligned(address, 64);
    const registers = i.i64(i.form.mode === "64" ? 16 : 8);
    i.callHelper(helper, [address, pair(i), i.i64(i.size === 8 ? 1 : 0), registers]);
  };

const read: Semantics = (i) => {
  requireEnabled(i);
  const value = i.callHelper("xgetbv", [i.readGeneral(RCX, 4)]);
  i.writeGeneral(RAX, value, 4);
  i.writeGeneral(RDX, i.shrU(value, i.i64(32)), 4);
};

const write: Semantics = (i) => {
  requireEnabled(i);
  i.if(i.isNonZero(i.readState(STATE.cpl)), () => i.raise(VECTOR.GP, i.i64(0)));
  i.callHelper("xsetbv", [i.readGeneral(RCX, 4), pair(i)]);
  i.leave({ to: "next" });
};

const IMAGE: RowTraits = { cold: true, sized: true, modal: true };

export const XSAVE_ROWS: readonly InstructionRow[] = [
  row("XSAVE", "NP 0F AE /4", "M", image("xsave"), { ...IMAGE, feature: "xsave" }),
  row("XRSTOR", "NP 0F AE /5", "M", image("xrstor"), { ...IMAGE, feature: "xsave" }),
  row("XSAVEOPT", "NP 0F AE /6", "M", image("xsaveopt"), { ...IMAGE, feature: "xsaveopt" }),
  row("XSAVEC", "NP 0F C7 /4", "M", image("xsavec"), { ...IMAGE, feature: "xsavec" }),
  row("XSAVES", "NP 0F C7 /5", "M", image("xsavec", true), { ...IMAGE, privileged: true, feature: "xsaves" }),
  row("XRSTORS", "NP 0F C7 /3", "M", image("xrstors", true), { ...IMAGE, privileged: true, feature: "xsaves" }),
  row("XGETBV", "NP 0F 01 D0", "", read, { cold: true, feature: "xsave" }),
  row("XSETBV", "NP 0F 01 D1", "", write, { cold: true, endsBlock: true, privileged: true, feature: "xsave" }),
];
