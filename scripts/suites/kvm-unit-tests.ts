// Runs kvm-unit-tests for x86 that somebody has built, on the core and on QEMU's TCG, and says whether as many pass here:
//
//   node scripts/suites/kvm-unit-tests.ts FOLDER ... [--only REGEX] [--cpu MODEL] [--timeout S] [--alone] [--show]
//
// Each FOLDER is the suite's source folder with x86/*.flat in it, configured for x86_64 or for i386; the tests of that architecture run.
// Nothing of the suite is part of this project. `--alone`: without QEMU beside. `--show`: what tests print here.
import "../../native-core/host/v8-flags.ts";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { CPU_MODEL_NAMES } from "../../native-core/cpu/cpuid/models.ts";
import { hostInputs } from "../../native-core/host/host-inputs.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { createMachine, type Machine } from "../../native-core/machine/machine.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { MultibootLoader } from "./multiboot.ts";
import { attachTestDevice } from "./test-device.ts";

interface Test {
  readonly name: string;
  readonly path: string;
  readonly args: string;
  readonly smp: number;
  readonly timeoutS: number;
  /** Of QEMU. */
  readonly cpu: string;
}

interface Result {
  readonly verdict: "PASS" | "FAIL" | "SKIP" | "TIMEOUT" | "ENDED";
  readonly output: string;
}

const MEMORY_BYTES = 256 << 20;
const SLICE_NS = 5_000_000n;
/** What the suite writes to the exit port. */
const EXIT = { PASS: 0, SKIP: 38 } as const;
const QEMU_DEVICES = ["-device", "pc-testdev", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"];
const QEMU_PLAIN = ["-nodefaults", "-vnc", "none", "-serial", "stdio", "-no-reboot", "-accel", "tcg", "-m", "256"];
/** Virtualization in the guest, Hyper-V's and VMware's interfaces, the performance counters of Intel, an IOMMU. */
const LEFT_OUT = /^(vmx|svm|svm_npt|hyperv.*|vmware_backdoors|pmu.*|intel-iommu)\.flat$/;
const DEFAULT_TIMEOUT_S = 90;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: "." },
    cpu: { type: "string", default: "max" },
    timeout: { type: "string" },
    alone: { type: "boolean", default: false },
    show: { type: "boolean", default: false },
  },
});
const model = CPU_MODEL_NAMES.find((name) => name === values.cpu);
if (positionals.length === 0 || model === undefined) {
  process.stderr.write(
    "usage: node scripts/suites/kvm-unit-tests.ts FOLDER ... [--only REGEX] [--cpu MODEL] [--alone]\n",
  );
  process.exit(2);
}

/** Sections of x86/unittests.cfg. Those with a `check` need parameters of the KVM module. */
function readTests(folder: string): Test[] {
  const sections = readFileSync(join(folder, "x86/unittests.cfg"), "utf8").split(/^(?=\[)/m);
  const is32Bit = /^ARCH=i386$/m.test(readFileSync(join(folder, "config.mak"), "utf8"));
  return sections.flatMap((section) => {
    const name = /^\[(.+)\]/.exec(section)?.[1];
    const setting = (key: string): string | undefined =>
      new RegExp(`^${key}\\s*=\\s*["']?(.*?)["']?$`, "m").exec(section)?.[1]?.trim();
    const file = setting("file");
    if (name === undefined || file === undefined || setting("check") !== undefined || LEFT_OUT.test(file)) return [];
    const arch = setting("arch");
    if (arch !== undefined && (arch === "i386") !== is32Bit) return [];
    const path = join(folder, "x86", file);
    if (!existsSync(path)) return [];
    const cpu = /-cpu (\S+)/.exec(setting("qemu_params") ?? "")?.[1] ?? "max";
    const timeoutS = Number(values.timeout ?? setting("timeout") ?? DEFAULT_TIMEOUT_S);
    const args = (setting("test_args") ?? "").replaceAll(/`date \+%s`/g, String(Math.floor(Date.now() / 1000)));
    return [{ name: is32Bit ? `${name} (32-bit)` : name, path, args, smp: Number(setting("smp") ?? 1), timeoutS, cpu }];
  });
}

const create = coreProcessor(await interpreterModule());

async function runHere(test: Test): Promise<Result> {
  let output = "";
  let code: number | undefined;
  const machine: Machine = createMachine({
    memoryBytes: MEMORY_BYTES,
    vcpuCount: test.smp,
    createProcessor: (options) => create({ ...options, ...(model && { model }) }),
    firmware: new MultibootLoader({
      image: new Uint8Array(readFileSync(test.path)),
      commandLine: `${test.path} ${test.args}`,
      module: new Uint8Array(0),
      memoryBytes: MEMORY_BYTES,
      cpuCount: test.smp,
    }),
    inputs: hostInputs,
    serial: [{ write: (byte) => void (output += String.fromCharCode(byte)) }, { write: () => {} }],
  });
  attachTestDevice(machine, (value) => {
    code ??= value;
  });
  machine.powerOn();
  machine.resume();
  const end = performance.now() + test.timeoutS * 1000;
  try {
    while (performance.now() < end) {
      const { state } = machine.runSlice(SLICE_NS);
      if (code !== undefined) return { verdict: verdictOf(code, output), output };
      if (state !== "running" && state !== "halted") return { verdict: "ENDED", output: `${output}\n(${state})` };
      await delay(state === "halted" ? 1 : 0);
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
  // What TCG does not have is left out with a warning.
  const cpu = test.cpu.replace(/^host\b/, "max").replace(/,?(host-phys-bits|migratable=no)\b/g, "");
  const args = ["-kernel", test.path, "-append", test.args, "-smp", String(test.smp), "-cpu", cpu];
  return new Promise((resolve) => {
    execFile(
      "qemu-system-x86_64",
      [...QEMU_PLAIN, ...QEMU_DEVICES, ...args],
      { timeout: test.timeoutS * 1000, maxBuffer: 1 << 24 },
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

interface Counts {
  readonly pass: number;
  readonly fail: number;
  readonly skip: number;
}

function countsOf({ output }: Result): Counts {
  const lines = (word: string): number => output.match(new RegExp(`^${word}`, "gm"))?.length ?? 0;
  return { pass: lines("PASS"), fail: lines("FAIL"), skip: lines("SKIP") };
}

const cell = (result: Result): string => {
  const { pass, fail, skip } = countsOf(result);
  const numbers = [pass, fail, skip].map((count) => String(count).padStart(5)).join("");
  return `${result.verdict.padEnd(8)}${numbers}`;
};

/** Whatever QEMU passes passes here. A test of a feature that this processor does not say it has is skipped, which is no failure. */
function isAsGood(here: Result, there: Result): boolean {
  if (here.verdict === "PASS") return true;
  return there.verdict !== "PASS" || here.verdict === "SKIP";
}

const tests = positionals.flatMap(readTests).filter(({ name }) => new RegExp(values.only).test(name));
const passed = { here: 0, there: 0 };
const reports = { here: 0, there: 0 };
const behind: string[] = [];
console.log(`${"".padEnd(28)}here      pass fail skip${values.alone ? "" : "   QEMU TCG  pass fail skip"}`);
for (const test of tests) {
  const [here, there] = await Promise.all([runHere(test), values.alone ? undefined : runInQemu(test)]);
  if (here.verdict === "PASS") passed.here++;
  if (there?.verdict === "PASS") passed.there++;
  reports.here += countsOf(here).pass;
  if (there) reports.there += countsOf(there).pass;
  if (there && !isAsGood(here, there)) behind.push(test.name);
  console.log(`${test.name.padEnd(26)}  ${cell(here)}${there ? `   ${cell(there)}` : ""}`);
  if (values.show) console.log(here.output.replace(/^/gm, "    "));
}
console.log(`here ${passed.here} of ${tests.length} tests pass, with ${reports.here} reports`);
if (!values.alone) {
  console.log(`TCG  ${passed.there} of ${tests.length} tests pass, with ${reports.there} reports`);
  const asMany = behind.length === 0 && passed.here >= passed.there;
  console.log(asMany ? "at least as many as TCG" : `behind TCG: ${behind.join(", ")}`);
  process.exitCode = asMany ? 0 : 1;
} else process.exitCode = passed.here === tests.length ? 0 : 1;
