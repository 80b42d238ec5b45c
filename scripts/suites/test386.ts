// Runs test386.asm (a tester of the 80386 that stands in place of the BIOS) from a folder that somebody has fetched:
//
//   node scripts/suites/test386.ts FOLDER [--timeout S] [--show]
//
// FOLDER is the suite's source folder; it is assembled anew, with its results written to a port, by NASM (Debian: package nasm). Nothing of
// the suite is part of this project. The last test writes results of arithmetic, without undefined flags; they are compared with the suite's
// own reference.
import "../../native-core/host/v8-flags.ts";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Firmware, FirmwareTarget } from "../../native-core/firmware/firmware.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { createMachine } from "../../native-core/machine/machine.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";

const MEMORY_BYTES = 64 << 20;
const SLICE_NS = 5_000_000n;
const LOW_END = 0x10_0000;
/** Where the suite says which test runs, and where it is told to write text. */
const PORT = { test: 0x190, text: 0xe9 } as const;

interface Change {
  readonly file: string;
  readonly find: RegExp;
  readonly replacement: string;
}

/** The configuration, and what later processors do otherwise than a 386. */
const CHANGES: readonly Change[] = [
  { file: "configuration.asm", find: /^OUT_PORT equ .*$/m, replacement: `OUT_PORT equ ${PORT.text}` },
  { file: "configuration.asm", find: /^POST_PORT equ .*$/m, replacement: `POST_PORT equ ${PORT.test}` },
  { file: "configuration.asm", find: /^ROM128 equ .*$/m, replacement: "ROM128 equ 1" },
  // ARPL to a read-only segment faults whether it changes something or not (SDM 2A).
  { file: "configuration.asm", find: /^BOCHS equ .*$/m, replacement: "BOCHS equ 1" },
  // A walk marks the directory's entry as accessed even if the table's entry then faults (SDM 3A 4.8).
  {
    file: "tests/paging_p.asm",
    find: /^\s*test\s+eax, PTE_ACCESSED ; PDE's A bit should be 0\s+jnz\s+error$/m,
    replacement: "",
  },
];

const ALL_PASSED = 0xff;
const COMPARED_TEST = 0xee;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { timeout: { type: "string", default: "120" }, show: { type: "boolean", default: false } },
});
const [folder] = positionals;
if (folder === undefined) {
  process.stderr.write("usage: node scripts/suites/test386.ts FOLDER [--timeout S] [--show]\n");
  process.exit(2);
}

class Rom implements Firmware {
  readonly rom: Uint8Array;

  constructor(rom: Uint8Array) {
    this.rom = rom;
  }

  start({ memory }: FirmwareTarget): void {
    memory.write(LOW_END - this.rom.length, this.rom);
  }
}

function assemble(source: string): Uint8Array {
  if (spawnSync("nasm", ["-v"]).status !== 0) {
    process.stderr.write("NASM is missing, which assembles the suite. Debian: apt-get install nasm\n");
    process.exit(2);
  }
  const target = mkdtempSync(join(tmpdir(), "terrarium-test386-"));
  try {
    cpSync(join(source, "src"), target, { recursive: true });
    for (const { file, find, replacement } of CHANGES) {
      const path = join(target, file);
      const text = readFileSync(path, "utf8");
      if (!find.test(text)) throw new Error(`${file} of the suite has no ${find}`);
      writeFileSync(path, text.replace(find, replacement));
    }
    const args = ["-f", "bin", "-w-all", "-o", "test386.bin", "test386.asm"];
    const result = spawnSync("nasm", args, { cwd: target, encoding: "utf8" });
    if (result.status !== 0) throw new Error(`NASM: ${result.stderr}`);
    return new Uint8Array(readFileSync(join(target, "test386.bin")));
  } finally {
    rmSync(target, { recursive: true });
  }
}

const create = coreProcessor(await interpreterModule());
let text = "";
let test = -1;
const machine = createMachine({
  memoryBytes: MEMORY_BYTES,
  createProcessor: (options) => create({ ...options, model: "max" }),
  firmware: new Rom(assemble(folder)),
  serial: [{ write: () => {} }, { write: () => {} }],
});
machine.bus.mapPorts(PORT.test, 1, { read: () => 0xff, write: (_, __, value) => void (test = value) });
machine.bus.mapPorts(PORT.text, 1, {
  read: () => 0xff,
  write: (_, __, value) => void (text += String.fromCharCode(value)),
});
machine.powerOn();
machine.resume();
const end = performance.now() + Number(values.timeout) * 1000;
let state = "running";
while (state === "running" && test !== ALL_PASSED && performance.now() < end) state = machine.runSlice(SLICE_NS).state;
machine.dispose();

if (values.show) console.log(text);
const passed = test === ALL_PASSED;
console.log(passed ? "every test passed" : `ended (${state}) in test ${test.toString(16)}h`);
const differences = passed ? compareResults() : 0;
process.exitCode = passed && differences === 0 ? 0 : 1;

/** Lines of an instruction's name, its operands, flags before, result and flags after. */
function compareResults(): number {
  const reference = readFileSync(join(folder as string, "test386-EE-reference.txt"), "utf8").split("\n");
  const lines = text.split("\n");
  const mnemonics = new Map<string, number>();
  let count = 0;
  reference.forEach((line, n) => {
    if (line.trimEnd() === (lines[n] ?? "").trimEnd()) return;
    const name = line.split(/\s+/)[0] ?? "";
    mnemonics.set(name, (mnemonics.get(name) ?? 0) + 1);
    if (count++ < 3 || values.show)
      console.log(`test ${COMPARED_TEST.toString(16)}h: expected ${line}\n          got      ${lines[n]}`);
  });
  console.log(`${reference.length - count} of ${reference.length} lines of results are the reference's`);
  for (const [name, times] of mnemonics) console.log(`    ${name}: ${times}`);
  return count;
}
