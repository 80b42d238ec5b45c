// Runs SingleStepTests of the 8086 or of the 80286 in real mode from a folder of MOO files:
//
//   node scripts/conformance/single-step.ts FOLDER [--only REGEX] [--limit N] [--show N]
//
// Nothing of the suite is part of this project. Neither is what is emulated, and their memory is RAM throughout: cases are left out that
// touch video memory or ROM, have more than ten bytes, or LOCK where later processors refuse it. Flags that the architecture leaves
// undefined are not compared. What an 8086 does otherwise is in OF_8086; those files are not run.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildInterpreter } from "../../native-core/cpu/interpreter/build-interpreter.ts";
import { createVcpu } from "../../native-core/cpu/vcpu-group.ts";
import { InstructionDecoder } from "../../native-core/x86/decoder/instruction-decoder.ts";
import type { ArithmeticFlag, InstructionRow } from "../../native-core/x86/row.ts";
import { STATE } from "../../native-core/x86/state-layout.ts";
import { type MooTest, readMoo } from "./moo.ts";
import { model, platform } from "./user-mode.ts";

const RAM_BYTES = 32 << 20;
/** A 286 has no longer instructions. */
const LONGEST = 10;
/** CF PF AF ZF SF TF IF DF OF. */
const FLAGS = 0xfd5;
const FLAG_BITS: Record<ArithmeticFlag, number> = { CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, OF: 0x800 };
const MAX_STEPS = 1000;
const GENERAL = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const SEGMENTS = ["es", "cs", "ss", "ds"] as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: "." },
    limit: { type: "string", default: "500" },
    show: { type: "string", default: "1" },
  },
});
const [folder] = positionals;
if (folder === undefined) {
  process.stderr.write("usage: node scripts/conformance/single-step.ts FOLDER [--only REGEX] [--limit N] [--show N]\n");
  process.exit(2);
}

const vcpu = createVcpu({
  ramBytes: RAM_BYTES,
  interpreterModule: new WebAssembly.Module(buildInterpreter()),
  platform: { ...platform, readPort: (_, size) => (size === 1 ? 0xff : 0xffff) },
  interrupts: { hasInterrupt: () => false, acknowledge: () => undefined },
  bus: { readMmio: () => 0xff, writeMmio: () => {} },
  model,
});
const decoder = new InstructionDecoder(2);

function prepare({ initial }: MooTest): void {
  vcpu.reset();
  const { state } = vcpu;
  const register = (name: string): bigint => BigInt(initial.registers.get(name) ?? 0);
  GENERAL.forEach((name, n) => {
    state.setGeneral(n, register(name));
  });
  for (const segment of SEGMENTS) {
    state.setSegment(segment, "selector", register(segment));
    state.setSegment(segment, "base", register(segment) << 4n);
  }
  state.set(STATE.rip, register("ip"));
  state.flags = (register("flags") & BigInt(FLAGS)) | 2n;
  const bytes = vcpu.ram.bytes();
  for (const [address, byte] of initial.ram) bytes[address] = byte;
  vcpu.invalidateAll();
}

/** PCs have video memory and ROM from here to 1 MiB. */
const HOLE = { from: 0xa_0000, to: 0x10_0000 } as const;
const LOCK = 0xf0;

function isComparable({ bytes, initial, final }: MooTest): boolean {
  if (bytes.length - 1 > LONGEST || bytes.includes(LOCK)) return false;
  return [...initial.ram, ...final.ram].every(([address]) => address < HOLE.from || address >= HOLE.to);
}

/** The row of the instruction; undefined for an undefined opcode. */
function rowOf(test: MooTest): InstructionRow | undefined {
  const padded = new Uint8Array(64);
  padded.set(test.bytes);
  decoder.decode(padded, 0, 0, []);
  return decoder.leaf?.row;
}

function differences(test: MooTest, row: InstructionRow | undefined): string[] {
  const found: string[] = [];
  const ignored = (row?.undefines ?? []).reduce((mask, flag) => mask | FLAG_BITS[flag], 0);
  const compared = FLAGS & ~ignored;
  const { state } = vcpu;
  const expected = (name: string): number => test.final.registers.get(name) ?? test.initial.registers.get(name) ?? 0;
  const check = (name: string, want: number, got: number): void => {
    if (want !== got) found.push(`${name} ${want.toString(16)} is ${got.toString(16)}`);
  };
  GENERAL.forEach((name, n) => {
    check(name, expected(name), Number(state.general(n) & 0xffffn));
  });
  for (const segment of SEGMENTS) check(segment, expected(segment), state.segmentNumber(segment, "selector"));
  check("ip", expected("ip"), Number(state.get(STATE.rip) & 0xffffn));
  check("flags", expected("flags") & compared, Number(state.flags) & compared);
  const bytes = vcpu.ram.bytes();
  const pushed = test.exception?.flagAddress;
  for (const [address, byte] of test.final.ram) {
    const offset = pushed === undefined ? -1 : address - pushed;
    const mask = offset === 0 ? compared & 0xff : offset === 1 ? compared >> 8 : 0xff;
    check(`[${address.toString(16)}]`, byte & mask, (bytes[address] ?? 0) & mask);
  }
  return found;
}

/** Of the 8086 alone, by file. */
const OF_8086: readonly (readonly [files: RegExp, reason: string])[] = [
  [/^(0F|6.|C0|C1|C8|C9|F1)\./, "opcodes that later processors use otherwise"],
  [/^(8C|8E)\./, "segment register numbers 4 to 7 repeat 0 to 3"],
  [/^(D[0-3]\.6|F[67]\.1|FE\.[2-7]|FF\.7)\./, "forms that later became undefined or other instructions"],
  [/^D[23]\./, "shift counts are not taken modulo 32"],
  [/^54\./, "PUSH SP stores the new value"],
  [/^(9C|CC|CD|CE)\./, "bits 15 to 12 of the flags are set when they are stored"],
  [/^(D4|F[67]\.[67])\./, "divide errors return behind the instruction"],
  [/^(D[89A-F])\./, "the coprocessor is another one"],
];
const reasonOf8086 = (file: string): string | undefined => OF_8086.find(([files]) => files.test(file))?.[1];
const SEGMENT_FAULTS = [12, 13];

/** Words at offset 0FFFFh, and addresses beyond 1 MiB, wrap around on an 8086. */
function wraps({ initial }: MooTest): boolean {
  const handler = (vector: number): number => {
    const bytes = vcpu.ram.bytes();
    return (bytes[vector * 4] ?? 0) | ((bytes[vector * 4 + 1] ?? 0) << 8);
  };
  const ip = Number(vcpu.state.get(STATE.rip));
  const segments = SEGMENTS.map((name) => initial.registers.get(name) ?? 0);
  return segments.some((selector) => selector > 0xefff) || SEGMENT_FAULTS.some((vector) => ip === handler(vector));
}

/** One instruction, a REP with all its rounds. */
function runInstruction({ bytes }: MooTest): void {
  const start = vcpu.state.get(STATE.rip);
  const repeats = bytes.some((byte) => byte === 0xf2 || byte === 0xf3);
  for (let step = 0; step < MAX_STEPS; step++) {
    if (vcpu.step() === "halted" || !repeats || vcpu.state.get(STATE.rip) !== start) return;
  }
}

const skipped = new Map<string, string[]>();
let total = 0;
let failed = 0;
for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith(".MOO.gz") || !new RegExp(values.only).test(file)) continue;
  const { processor, tests: all } = readMoo(readFileSync(join(folder, file)));
  const is8086 = processor === "8086" || processor === "8088";
  const reason = is8086 ? reasonOf8086(file) : undefined;
  if (reason !== undefined) {
    skipped.set(reason, [...(skipped.get(reason) ?? []), file.replace(/\.MOO.*/, "")]);
    continue;
  }
  const tests = all.slice(0, Number(values.limit));
  let bad = 0;
  for (const test of tests) {
    if (!isComparable(test)) continue;
    prepare(test);
    if (is8086) runInstruction(test);
    else for (let step = 0; step < MAX_STEPS && vcpu.step() !== "halted"; step++);
    if (is8086 && wraps(test)) continue;
    total++;
    const found = differences(test, rowOf(test));
    for (const [address] of [...test.initial.ram, ...test.final.ram]) vcpu.ram.bytes()[address] = 0;
    if (found.length === 0) continue;
    failed++;
    if (bad++ >= Number(values.show)) continue;
    const exception = test.exception ? ` (exception ${test.exception.vector})` : "";
    console.log(`${file} ${test.name} [${Buffer.from(test.bytes).toString("hex")}]${exception}: ${found.join(", ")}`);
  }
  if (bad > 0) console.log(`    ${file}: ${bad} of ${tests.length} differ`);
}
for (const [reason, files] of skipped) console.log(`not run, ${reason}: ${files.join(" ")}`);
console.log(`${total - failed} of ${total} cases pass`);
