// Forms: every row with everything fixed that its semantics may ask for. One form = one handler of the interpreter, one IR fragment.
// Forms with the same semantics, operands and mode are shared between rows (`ADD Ev,Gv` and `ADD Gv,Ev` between registers).
//
// Register operands are placed in fields by their order, not by their ModRM position: the first register in `reg`, the second in `rm`,
// the third in `index`; beside a memory operand (rm, index, scale, disp) the register is in `reg`. Segment registers are always in `reg`,
// those of VEX.vvvv and of an immediate always in `vvvv` and `is4`.
import type { Fragment, RegisterField, RegisterSelector, Size, Statement, Value } from "../ir/nodes.ts";
import { allStatements, operandsOf } from "../ir/walk.ts";
import {
  type FormInfo,
  InstructionBuilder,
  type OperandForm,
  SEGMENT_DEFAULT,
  SEGMENT_IN_FIELD,
} from "./instruction-builder.ts";
import { mayBeMemory, mayBeRegister, type OperandCode, parseOperands, type SizeCode } from "./operands.ts";
import type { InstructionRow, Semantics } from "./row.ts";
import { ROWS } from "./rows.ts";

export interface Form {
  /** Handler id: index into FORMS. */
  readonly id: number;
  /** The first row that uses the form. */
  readonly row: InstructionRow;
  readonly info: FormInfo;
  readonly cold: boolean;
  readonly endsBlock: boolean;
}

export type FormMode = FormInfo["mode"];
export const FORM_MODES: readonly FormMode[] = ["64", "legacy"];

/** How the operand size follows from mode and prefixes; "f64y" is 8 in 64-bit code and 4 elsewhere (MOV to and from CRn). */
export type SizeRule = "fixed" | "v" | "z" | "y" | "d64" | "f64" | "f64y";

/** A row as the decoder needs it in one mode. */
export interface RowEncoding {
  readonly row: InstructionRow;
  readonly operands: readonly OperandCode[];
  readonly sizeRule: SizeRule;
  /** Operand size where the rule is "fixed". */
  readonly fixedSize: Size;
  /** Handler ids by formKey; NO_FORM where the combination does not exist. */
  readonly forms: Uint16Array;
  /** The same for InstructionRow.zeroCount. */
  readonly zeroForms: Uint16Array | undefined;
}

export const NO_FORM = 0xffff;

const REPEATS = ["none", "rep", "repne"] as const;

/** Index into RowEncoding.forms. `size` and `addressSize` as log2 of bytes, `repeat` as in REPEATS, `segment` 1 when in a field. */
export function formKey(memory: number, size: number, addressSize: number, repeat: number, segment: number): number {
  return (((memory * 4 + size) * 3 + addressSize - 1) * 3 + repeat) * 2 + segment;
}

/** Where the last three parts of formKey start. */
const FIRST = { addressSize: 1, repeat: 0, segment: 0 } as const;

const KEYS = 2 * 4 * 3 * 3 * 2;

const forms: Form[] = [];
const formBySignature = new Map<string, Form>();
const semanticsIds = new Map<unknown, number>();

const encodings: Record<FormMode, RowEncoding[]> = { "64": [], legacy: [] };
for (const row of ROWS) {
  for (const mode of FORM_MODES) {
    if (row.mode === undefined || row.mode === mode) encodings[mode].push(encodeRow(row, mode));
  }
}

export const FORMS: readonly Form[] = forms;

export function rowEncodings(mode: FormMode): readonly RowEncoding[] {
  return encodings[mode];
}

/** The IR of a form. Made anew at each call. */
export function fragmentOf(form: Form): Fragment {
  const builder = new InstructionBuilder(form.info);
  form.row.semantics(builder);
  return builder.finish();
}

const writers = new Map<number, boolean>();

/** Whether a form writes its explicit memory operand: some store, or load for writing, has an address made from field `rm`. */
export function writesMemory(id: number): boolean {
  let writes = writers.get(id);
  if (writes === undefined) {
    const form = FORMS[id];
    writes = form !== undefined && [...allStatements(fragmentOf(form).body)].some(writesOperand);
    writers.set(id, writes);
  }
  return writes;
}

function writesOperand(statement: Statement): boolean {
  if (statement.kind === "store") return usesAddress(statement.address);
  const node = statement.kind === "define" ? statement.value.node : undefined;
  return node?.op === "load" && node.forWrite && usesAddress(node.address);
}

function usesAddress({ node }: Value): boolean {
  if (node.op === "readRegister") return node.selector.kind === "field" && node.selector.field === "rm";
  return operandsOf(node).some(usesAddress);
}

function encodeRow(row: InstructionRow, mode: FormMode): RowEncoding {
  const operands = parseOperands(row);
  const sizeRule = sizeRuleOf(row, operands);
  const fixedSize = fixedSizeOf(operands);
  const table = new Uint16Array(KEYS).fill(NO_FORM);
  const variants = variantsOf(row, operands, mode);
  const memories = [mayBeRegister(operands) ? [0] : [], mayBeMemory(operands) ? [1] : []].flat();
  for (const memory of memories) {
    for (const size of sizesOf(sizeRule, fixedSize, mode)) {
      const resolved = resolveOperands(operands, size, memory === 1);
      const base = formKey(memory, log2(size), FIRST.addressSize, FIRST.repeat, FIRST.segment);
      for (const { info, keys } of variants) {
        const { id } = formFor(row, { size, operands: resolved, ...info, ...vectorLengthOf(row) });
        for (const key of keys) table[base + key] = id;
      }
    }
  }
  const zeroForms = row.zeroCount ? encodeRow(zeroCountRow(row, row.zeroCount), mode).forms : undefined;
  return { row, operands, sizeRule, fixedSize, forms: table, zeroForms };
}

/** VEX.LIG and VEX.LZ are as VEX.128. */
function vectorLengthOf({ opcode }: InstructionRow): Pick<FormInfo, "vectorLength"> {
  if (!opcode.startsWith("VEX.")) return {};
  return { vectorLength: opcode.startsWith("VEX.256") ? 32 : 16 };
}

/** What a form depends on beside size and memory, and the keys that lead to it, relative to those of FIRST. */
interface Variant {
  readonly info: Omit<FormInfo, "size" | "operands" | "vectorLength">;
  readonly keys: number[];
}

function variantsOf(row: InstructionRow, operands: readonly OperandCode[], mode: FormMode): Variant[] {
  const strings = operands.some((operand) => operand.place === "string");
  const segmented = mode === "64" && operands.some((operand) => operand.text.startsWith("X"));
  const addressSized = row.addressSized || strings;
  const formMode = isModal(row, operands) ? mode : (row.mode ?? "64");
  const variants = new Map<string, Variant>();
  const base = formKey(0, 0, FIRST.addressSize, FIRST.repeat, FIRST.segment);
  for (const addressSize of mode === "64" ? ([8, 4] as const) : ([4, 2] as const)) {
    for (const [repeatIndex, repeat] of REPEATS.entries()) {
      for (const segment of [SEGMENT_DEFAULT, SEGMENT_IN_FIELD]) {
        const info = {
          mode: formMode,
          addressSize: addressSized ? addressSize : 8,
          repeat: !row.repeatable ? "none" : repeat === "repne" && !row.writes?.includes("ZF") ? "rep" : repeat,
          segment: segmented ? segment : SEGMENT_DEFAULT,
        } as const;
        const signature = `${info.addressSize} ${info.repeat} ${info.segment}`;
        const variant = variants.get(signature) ?? { info, keys: [] };
        variant.keys.push(formKey(0, 0, log2(addressSize), repeatIndex, segment - SEGMENT_DEFAULT) - base);
        variants.set(signature, variant);
      }
    }
  }
  return [...variants.values()];
}

/** What the row does with a count of zero, as a row: reached only through RowEncoding.zeroForms. */
function zeroCountRow(row: InstructionRow, semantics: Semantics): InstructionRow {
  const { mnemonic, opcode, operands } = row;
  return { mnemonic, opcode, operands, semantics };
}

function formFor(row: InstructionRow, info: FormInfo): Form {
  let semantics = semanticsIds.get(row.semantics);
  if (semantics === undefined) {
    semantics = semanticsIds.size;
    semanticsIds.set(row.semantics, semantics);
  }
  const cold = row.cold ?? false;
  const endsBlock = row.endsBlock ?? false;
  const signature = `${semantics} ${cold} ${endsBlock} ${JSON.stringify(info)}`;
  let form = formBySignature.get(signature);
  if (!form) {
    form = { id: forms.length, row, info, cold, endsBlock };
    forms.push(form);
    formBySignature.set(signature, form);
  }
  return form;
}

function isModal(row: InstructionRow, operands: readonly OperandCode[]): boolean {
  if (row.modal || row.endsBlock) return true;
  return operands.some(({ place }) => place === "string" || place === "relative");
}

function sizeRuleOf(row: InstructionRow, operands: readonly OperandCode[]): SizeRule {
  const codes = operands.flatMap((operand) => [operand.registerSize, operand.memorySize, operand.encodedSize]);
  const relative = operands.some(({ place }) => place === "relative" || place === "far");
  const varies = row.sized || relative || codes.includes("v");
  if (row.size64 === "f64" && codes.includes("y")) return "f64y";
  if (varies || codes.includes("z")) return row.size64 ?? (varies ? "v" : "z");
  return codes.includes("y") ? "y" : "fixed";
}

/** Operand size where no operand depends on prefixes: that of the first integer operand. */
function fixedSizeOf(operands: readonly OperandCode[]): Size {
  for (const { place, file, registerSize, memorySize } of operands) {
    if (place === "immediate" || (file !== undefined && file !== "general")) continue;
    const size = registerSize ?? memorySize;
    if (size === 1 || size === 2 || size === 4 || size === 8) return size;
  }
  return 4;
}

function sizesOf(rule: SizeRule, fixedSize: Size, mode: FormMode): readonly Size[] {
  switch (rule) {
    case "fixed":
      return [fixedSize];
    case "v":
      return mode === "64" ? [2, 4, 8] : [2, 4];
    case "z":
      return [2, 4];
    case "y":
      return mode === "64" ? [4, 8] : [4];
    case "d64":
      return mode === "64" ? [2, 8] : [2, 4];
    case "f64":
      return mode === "64" ? [8] : [2, 4];
    case "f64y":
      return mode === "64" ? [8] : [4];
  }
}

function resolveSize(code: SizeCode | undefined, size: Size): number {
  return typeof code === "number" ? code : size;
}

/** Which field holds each register operand; undefined for the others. */
export function placeOperands(operands: readonly OperandCode[], memory: boolean): RegisterField[] {
  const free: ("reg" | "rm" | "index")[] = memory ? ["reg"] : ["reg", "rm", "index"];
  const segment = operands.findIndex((operand) => operand.file === "segment");
  if (segment >= 0) free.shift();
  return operands.map((operand, n) => {
    if (n === segment) return "reg";
    if (operand.place === "vex.vvvv") return "vvvv";
    if (operand.place === "vex.is4") return "is4";
    return isInField(operand, memory) ? (free.shift() ?? "index") : "index";
  });
}

/** Whether a field of the operation selects the operand's register. */
export function isInField(operand: OperandCode, memory: boolean): boolean {
  switch (operand.place) {
    case "modrm.reg":
    case "opcode":
    case "accumulator":
    case "vex.vvvv":
    case "vex.is4":
      return true;
    case "modrm.rm":
      return !memory && operand.file !== undefined;
    default:
      return false;
  }
}

function resolveOperands(operands: readonly OperandCode[], size: Size, memory: boolean): OperandForm[] {
  const fields = placeOperands(operands, memory);
  return operands.flatMap((operand, n): OperandForm[] => {
    switch (operand.place) {
      case "string":
        return [];
      case "constant":
        return [{ kind: "constant", value: operand.value ?? 0 }];
      case "relative":
        return [{ kind: "relative" }];
      case "far": // offset in disp, selector in imm
        return [{ kind: "immediate64" }];
      case "immediate":
        if (operand.encodedSize === "v" && size === 8) return [{ kind: "immediate64" }];
        return [{ kind: "immediate", size: resolveSize(operand.registerSize, size) as Size }];
    }
    if (!isInField(operand, memory) && operand.place !== "fixed")
      return [{ kind: "memory", size: resolveSize(operand.memorySize, size) }];
    const selector: RegisterSelector =
      operand.place === "fixed"
        ? { kind: "fixed", register: (operand.value ?? 0) * (operand.file === "general" ? 8 : 1) }
        : { kind: "field", field: fields[n] ?? "reg" };
    if (operand.file === "general")
      return [{ kind: "general", selector, size: resolveSize(operand.registerSize, size) as Size }];
    return [{ kind: operand.file ?? "vector", selector }];
  });
}

function log2(size: number): number {
  return 31 - Math.clz32(size);
}
