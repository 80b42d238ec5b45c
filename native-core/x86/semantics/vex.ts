// VEX forms of legacy SSE rows: the same semantics, with an own first source where the legacy form overwrites it, the upper half of the
// destination zeroed, and at 256 bits once for each half (docs/adr/0015-vex-forms-derive-from-sse-rows.md).
import type { VexShape } from "../instruction-builder.ts";
import type { CpuidFeature, InstructionRow, RowTraits } from "../row.ts";

/** Each half by itself. */
export const WHOLE: VexShape = { separateSource: false, source: "halves", result: "halves", immediateBits: 0 };

export interface VexForm {
  /** As in the manuals: `128`, `256`, `LIG` (scalars: ignored) or `LZ` (must be zero). */
  readonly length: "128" | "256" | "LIG" | "LZ";
  /** Operands if they do not follow from the legacy row's: see `operandsOf`. */
  readonly operands?: string;
  /** If it is another than the legacy row's. */
  readonly opcode?: string;
  /** Without an operand in VEX.vvvv. */
  readonly unary?: boolean;
  readonly shape?: Partial<VexShape>;
  readonly feature: CpuidFeature;
}

/** One VEX form of a legacy row. Whatever else is said of the row holds for the form. */
export function vexRow(legacy: InstructionRow, form: VexForm): InstructionRow {
  const { mnemonic, opcode, operands: legacyOperands, semantics, feature: _, ...traits } = legacy;
  const operands = form.operands ?? operandsOf(legacyOperands, form);
  const separateSource = /(^|,)H/.test(operands);
  const shape: VexShape = { ...WHOLE, separateSource, ...form.shape };
  return {
    mnemonic: `V${mnemonic}`,
    opcode: vexOpcode(form.opcode ?? opcode, form.length),
    operands,
    semantics: derived(semantics, shape),
    ...(traits satisfies RowTraits),
    feature: form.feature,
  };
}

const known = new Map<InstructionRow["semantics"], Map<string, InstructionRow["semantics"]>>();

/** The same function for the same semantics and shape, so that forms are shared. */
export function derived(legacy: InstructionRow["semantics"], shape: VexShape): InstructionRow["semantics"] {
  const byShape = known.get(legacy) ?? new Map<string, InstructionRow["semantics"]>();
  known.set(legacy, byShape);
  const key = JSON.stringify(shape);
  const semantics = byShape.get(key) ?? ((i) => i.derive(shape, () => legacy(i)));
  byShape.set(key, semantics);
  return semantics;
}

/** `Vps,Wps` becomes `Vps,Hps,Wps`; a shift by an immediate, `Udq,Ib`, becomes `Hx,Ux,Ib`. */
function operandsOf(legacy: string, { unary = false }: VexForm): string {
  const [first = "", ...rest] = legacy.split(",").map((operand) => operand.replace(/^([VWUM])dq$/, "$1x"));
  if (unary) return [first, ...rest].join(",");
  const suffix = first.slice(1);
  return first.startsWith("U") ? [`H${suffix}`, first, ...rest].join(",") : [first, `H${suffix}`, ...rest].join(",");
}

/** `66 0F 38 00` as `VEX.256.66.0F38 00`. */
function vexOpcode(legacy: string, length: string): string {
  const words = legacy.split(" ");
  const prefix = /^(NP|66|F3|F2)$/.test(words[0] ?? "") ? words.shift() : "NP";
  words.shift(); // 0F
  let map = "0F";
  if (words.length > 1 && (words[0] === "38" || words[0] === "3A")) map += words.shift();
  const w = /^W[01]$/.test(words.at(-1) ?? "") ? `.${words.pop()}` : "";
  return [`VEX.${length}.${prefix === "NP" ? "" : `${prefix}.`}${map}${w}`, ...words].join(" ");
}
