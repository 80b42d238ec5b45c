// What the JIT makes of each instruction of 64-bit code, as text: one form for each kind of operands, as if in the middle of a region that has
// all registers in locals and knows nothing. Ways rarely taken are counted and not shown.
//   node scripts/conformance/jit-text.ts     writes tests/unit/cpu/jit/emitted.txt, which a test compares
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CompiledOperation, OperationFields } from "../../native-core/cpu/jit/block-source.ts";
import { importForRegions, REGION_TYPE } from "../../native-core/cpu/jit/linkage.ts";
import { lowerOperation } from "../../native-core/cpu/jit/lower-operation.ts";
import { type PreparedForm, preparedForm } from "../../native-core/cpu/jit/prepared-forms.ts";
import { effectOf } from "../../native-core/cpu/jit/region-registers.ts";
import { type JitRuntime, RegionWriter } from "../../native-core/cpu/jit/region-writer.ts";
import { FunctionWriter, type Instruction } from "../../native-core/wasm/function-writer.ts";
import { ModuleWriter } from "../../native-core/wasm/module-writer.ts";
import { printImmediate } from "../../native-core/wasm/printer.ts";
import type { FunctionReference } from "../../native-core/wasm/types.ts";
import { FORMS, type Form } from "../../native-core/x86/forms.ts";
import { PSEUDO_REGISTERS } from "../../native-core/x86/state-layout.ts";

/** Longer ones are summed up. */
const LONGEST = 50;

const ALL_REGISTERS = -1;
const LENGTH = 4;
const DISPLACEMENT = 0x40;
const IMMEDIATE = 5;

/** A paragraph an instruction. */
export function jitTexts(): string[] {
  return [...representatives()].map(([title, prepared]) => `${title}: ${textOf(prepared)}\n`).sort();
}

/** By mnemonic and kinds of operands: the form of the largest size. */
function representatives(): Map<string, PreparedForm> {
  const found = new Map<string, PreparedForm>();
  for (const form of FORMS) {
    const prepared = form.info.mode === "64" && form.info.addressSize === 8 ? preparedForm(form.id, false) : undefined;
    if (!prepared) continue;
    const title = titleOf(form);
    const known = found.get(title);
    if (!known || known.form.info.size < form.info.size) found.set(title, prepared);
  }
  return found;
}

function titleOf({ row, info }: Form): string {
  const repeat = info.repeat === "none" ? "" : `${info.repeat.toUpperCase()} `;
  const vector = info.vectorLength ? ` (${info.vectorLength * 8} bits)` : "";
  return `${repeat}${row.mnemonic} ${info.operands.map(({ kind }) => kind).join(", ")}`.trimEnd() + vector;
}

function textOf(prepared: PreparedForm): string {
  const f = new FunctionWriter("operation", REGION_TYPE, true);
  const runtime = importForRegions(new ModuleWriter(), prepared.helpers);
  const setting = { user: true, isFlat: false, shared: false, linkTo: () => 0 };
  const region = new RegionWriter(f, runtime, setting, { nodes: [], used: ALL_REGISTERS, dirtySets: [0] }, 0);
  region.open(0);
  const begin = f.instructions.length;
  let exits = 0;
  lowerOperation(region, operationOf(prepared), ({ to }) => {
    exits++;
    // The target of an indirect exit is on the stack.
    f.emit(to === "indirect" ? "drop" : "nop");
  });
  const { shown, rare } = usualWay(f.instructions.slice(begin), namesOf(runtime, prepared));
  const counts = [`${shown.length} usually`, `${rare} rarely`, ...(exits > 0 ? [`ways on: ${exits}`] : [])];
  return `${counts.join(", ")}\n  ${shown.length > LONGEST ? summary(shown) : shown.join("; ")}`;
}

/** How often each operation is in a long text. */
function summary(shown: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of shown) {
    const name = text.startsWith("call") ? text : (text.split(" ")[0] as string);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .map(([name, count]) => `${count} ${name}`)
    .sort()
    .join("; ");
}

function operationOf(prepared: PreparedForm): CompiledOperation {
  const isGather = prepared.registers.some(
    ({ file, selector }) => file === "vector" && selector.kind === "field" && selector.field === "index",
  );
  const registers: Record<string, number> = isGather ? {} : { index: PSEUDO_REGISTERS.ZERO };
  let next = 1;
  for (const { file, selector } of prepared.registers) {
    if (selector.kind === "fixed" || selector.field in registers) continue;
    registers[selector.field] = file === "general" ? 8 * next : next;
    next++;
  }
  const free = { reg: 0, rm: 0, index: 0, vvvv: 0, is4: 0, ...registers };
  const fields: OperationFields = {
    ...free,
    ...{ length: LENGTH, start: 0, scale: 0, disp: DISPLACEMENT, imm: IMMEDIATE },
  };
  const place = { address: 0, first: 0, retired: 1, at: 0, next: LENGTH };
  return { prepared, fields, effect: effectOf(prepared, fields), ...place };
}

/** Calls by name, so that the order of imports is not part of the text. */
function namesOf(runtime: JitRuntime, { helpers }: PreparedForm): ReadonlyMap<number, string> {
  const { access, routines, regionType: _, helpers: imported, ...functions } = runtime;
  const named: [string, FunctionReference | undefined][] = [
    ...Object.entries(access),
    ...Object.entries(routines),
    ...(Object.entries(functions) as [string, FunctionReference][]),
    ...[...helpers.keys()].map((name): [string, FunctionReference | undefined] => [name, imported.get(name)]),
  ];
  return new Map(named.flatMap(([name, reference]) => (reference ? [[reference.index, name]] : [])));
}

/** Branches that are hinted at as unlikely are counted only. */
function usualWay(
  instructions: readonly Instruction[],
  names: ReadonlyMap<number, string>,
): { shown: string[]; rare: number } {
  const shown: string[] = [];
  let rare = 0;
  /** Of each open block whether it is an `if`, and whether the branch being looked at is rarely taken. */
  const open: { likely: boolean | undefined; isRare: boolean }[] = [];
  for (const { name, immediate, likely } of instructions) {
    const top = open.at(-1);
    if (name === "else" && top) top.isRare = top.likely === true;
    const hidden = open.some(({ isRare }) => isRare);
    if (name === "end") open.pop();
    if (hidden && !(name === "end" && !open.some(({ isRare }) => isRare))) rare++;
    else if (immediate.kind === "index" && name === "call") shown.push(`call ${names.get(immediate.values[0] ?? -1)}`);
    else shown.push(`${name}${printImmediate(immediate)}${likely === false ? " unlikely" : ""}`);
    if (name === "if") open.push({ likely, isRare: likely === false });
    else if (name === "block" || name === "loop") open.push({ likely: undefined, isRare: false });
  }
  return { shown, rare };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const target = fileURLToPath(new URL("../../tests/unit/cpu/jit/emitted.txt", import.meta.url));
  writeFileSync(target, jitTexts().join("\n"));
  process.stdout.write(`wrote ${target}\n`);
}
