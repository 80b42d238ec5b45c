// Runs kvm-unit-tests for x86 that somebody has built, on the core and, for comparison, on QEMU's TCG:
//
//   node scripts/suites/kvm-unit-tests.ts FOLDER [--only REGEX] [--cpu MODEL] [--timeout S] [--qemu] [--show]
//
// FOLDER is the suite's source folder with x86/*.flat in it. Nothing of it is part of this project. `--show`: what tests print.
import "../../native-core/host/v8-flags.ts";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CPU_MODEL_NAMES } from "../../native-core/cpu/cpuid/models.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { createMachine, type Machine } from "../../native-core/machine/machine.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { MultibootLoader } from "./multiboot.ts";
import { attachTestDevice } from "./test-device.ts";

interface Test {
  readonly name: string;
  readonly file: string;
  readonly args: string;
  readonly smp: number;
  readonly timeoutS: number;
}

interface Result {
  readonly verdict: "PASS" | "FAIL" | "SKIP" | "TIMEOUT" | "ENDED";
  readonly output: string;
}

const MEMORY_BYTES = 256 << 20;
/** What the suite writes to the exit port. */
const EXIT = { PASS: 0, SKIP: 77 } as const;
const QEMU_DEVICES = ["-device", "pc-testdev", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"];
const QEMU_PLAIN = ["-nodefaults", "-vnc", "none", "-serial", "stdio", "-no-reboot", "-accel", "tcg", "-m", "256"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: "." },
    cpu: { type: "string", default: "max" },
    timeout: { type: "string", default: "60" },
    qemu: { type: "boolean", default: false },
    show: { type: "boolean", default: false },
  },
});
const [folder] = positionals;
const chosen = CPU_MODEL_NAMES.find((name) => name === values.cpu);
if (folder === undefined || chosen === undefined) {
  process.stderr.write("usage: node scripts/suites/kvm-unit-tests.ts FOLDER [--only REGEX] [--cpu MODEL] [--qemu]\n");
  process.exit(2);
}

const model = chosen;

/** Sections of x86/unittests.cfg; tests that need VMX, SVM or a kernel's parameters are left out. */
function readTests(path: string): Test[] {
  const sections = readFileSync(path, "utf8").split(/^(?=\[)/m);
  return sections.flatMap((section) => {
    const name = /^\[(.+)\]/.exec(section)?.[1];
    const setting = (key: string): string | undefined =>
      new RegExp(`^${key}\\s*=\\s*'?(.*?)'?$`, "m").exec(section)?.[1]?.trim();
    const file = setting("file");
    if (name === undefined || file === undefined || setting("check") !== undefined) return [];
    if (setting("arch") === "i386" || /vmx|svm|hyperv|intel_iommu/.test(file)) return [];
    const args = setting("test_args") ?? "";
    return [{ name, file, args, smp: Number(setting("smp") ?? 1), timeoutS: Number(setting("timeout") ?? 60) }];
  });
}

const create = coreProcessor(await interpreterModule());

async function runHere(test: Test, image: Uint8Array): Promise<Result> {
  let output = "";
  let code: number | undefined;
  const machine: Machine = createMachine({
    memoryBytes: MEMORY_BYTES,
    vcpuCount: test.smp,
    createProcessor: (options) => create({ ...options, model }),
    firmware: new MultibootLoader({
      image,
      commandLine: `${test.file} ${test.args}`,
      module: new Uint8Array(0),
      memoryBytes: MEMORY_BYTES,
      cpuCount: test.smp,
    }),
    serial: [{ write: (byte) => void (output += String.fromCharCode(byte)) }, { write: () => {} }],
  });
  attachTestDevice(machine, (value) => {
    code ??= value;
  });
  machine.powerOn();
  machine.resume();
  const end = performance.now() + Number(values.timeout) * 1000;
  try {
    while (performance.now() < end) {
      const { state } = machine.runSlice(5_000_000n);
      if (code !== undefined) return { verdict: verdictOf(code, output), output };
      if (state !== "running" && state !== "halted") return { verdict: "ENDED", output: `${output}\n(${state})` };
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { verdict: "TIMEOUT", output };
  } finally {
    machine.dispose();
  }
}

function verdictOf(code: number, output: string): Result["verdict"] {
  if (code === EXIT.SKIP) return "SKIP";
  if (code !== EXIT.PASS) return "FAIL";
  return /^SUMMARY: 0 tests/m.test(output) ? "SKIP" : "PASS";
}

function runInQemu(test: Test): Promise<Result> {
  const kernel = join(folder as string, "x86", test.file);
  const args = ["-kernel", kernel, "-append", test.args, "-smp", String(test.smp), "-cpu", "max"];
  return new Promise((resolve) => {
    execFile(
      "qemu-system-x86_64",
      [...QEMU_PLAIN, ...QEMU_DEVICES, ...args],
      { timeout: Number(values.timeout) * 1000, maxBuffer: 1 << 24 },
      (error, output) => {
        // isa-debug-exit: the value twice plus one.
        const status = typeof error?.code === "number" ? error.code : undefined;
        if (error?.killed) resolve({ verdict: "TIMEOUT", output });
        else if (status === undefined || status % 2 === 0) resolve({ verdict: "ENDED", output });
        else resolve({ verdict: verdictOf((status - 1) / 2, output), output });
      },
    );
  });
}

const counts = (output: string): string => {
  const pass = output.match(/^PASS/gm)?.length ?? 0;
  const fail = output.match(/^FAIL/gm)?.length ?? 0;
  return `${pass} pass, ${fail} fail`;
};

let passed = 0;
let total = 0;
for (const test of readTests(join(folder, "x86/unittests.cfg"))) {
  const path = join(folder, "x86", test.file);
  if (!new RegExp(values.only).test(test.name) || !existsSync(path)) continue;
  const result = await runHere(test, new Uint8Array(readFileSync(path)));
  const other = values.qemu ? await runInQemu(test) : undefined;
  total++;
  if (result.verdict === "PASS") passed++;
  const beside = other ? `   TCG: ${other.verdict.padEnd(7)} (${counts(other.output)})` : "";
  console.log(`${test.name.padEnd(26)} ${result.verdict.padEnd(7)} (${counts(result.output)})${beside}`);
  if (values.show) console.log(result.output.replace(/^/gm, "    "));
}
console.log(`${passed} of ${total} pass`);
