// Runs SingleStepTests of the 80286 in real mode from a folder of MOO files:
//
//   node scripts/conformance/single-step.ts FOLDER [--only REGEX] [--limit N] [--show N]
//
// Nothing of the suite is part of this project. A 286 is not what is emulated, and its memory is RAM throughout: cases are left out that
// touch video memory or ROM, have more than ten bytes, or LOCK where later processors refuse it. Flags that the architecture leaves
// undefined are not compared.
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

let total = 0;
let failed = 0;
for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith(".MOO.gz") || !new RegExp(values.only).test(file)) continue;
  const tests = readMoo(readFileSync(join(folder, file))).slice(0, Number(values.limit));
  let bad = 0;
  for (const test of tests) {
    if (!isComparable(test)) continue;
    prepare(test);
    for (let step = 0; step < MAX_STEPS && vcpu.step() !== "halted"; step++);
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
console.log(`${total - failed} of ${total} cases pass`);
