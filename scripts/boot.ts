// Boots Linux in the terminal, without app or VM process: the shortest way to see what the core does. stdin and stdout are COM1.
//
//   node scripts/boot.ts --kernel FILE [--initrd FILE] [--cmdline S] [--memory MIB] [--exit-after TEXT] [--jit THRESHOLD|off] [--cpu MODEL]
//
// Ctrl+] ends it. With --exit-after the program ends when the guest has printed TEXT. Blocks are compiled after
// THRESHOLD executions.
import "../native-core/host/v8-flags.ts";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { CPU_MODEL_NAMES, DEFAULT_CPU_MODEL } from "../native-core/cpu/cpuid/models.ts";
import { DEFAULT_JIT_OPTIONS, type JitOptions } from "../native-core/cpu/jit/jit.ts";
import { InterpreterVcpu } from "../native-core/cpu/vcpu.ts";
import { LinuxBoot } from "../native-core/firmware/linux-boot.ts";
import { hostInputs } from "../native-core/host/host-inputs.ts";
import { interpreterModule } from "../native-core/host/interpreter-module.ts";
import { nodeEventLoop } from "../native-core/host/node-event-loop.ts";
import { createMachine } from "../native-core/machine/machine.ts";
import { coreProcessor } from "../native-core/machine/processor.ts";
import { MachineRunner } from "../native-core/machine/runner.ts";

const ESCAPE = 0x1d;

const { values } = parseArgs({
  options: {
    kernel: { type: "string" },
    initrd: { type: "string" },
    cmdline: { type: "string", default: "console=ttyS0" },
    memory: { type: "string", default: "256" },
    cpus: { type: "string", default: "1" },
    "exit-after": { type: "string" },
    jit: { type: "string" },
    cpu: { type: "string", default: DEFAULT_CPU_MODEL },
  },
});
if (values.kernel === undefined) {
  process.stderr.write(
    "usage: node scripts/boot.ts --kernel FILE [--initrd FILE] [--cmdline S] [--memory MIB] [--cpus N]\n",
  );
  process.exit(2);
}

const model = CPU_MODEL_NAMES.find((name) => name === values.cpu);
if (model === undefined) {
  process.stderr.write(`--cpu is one of ${CPU_MODEL_NAMES.join(", ")}\n`);
  process.exit(2);
}

const jitOptions = (text: string): JitOptions | "off" =>
  text === "off" ? text : { ...DEFAULT_JIT_OPTIONS, threshold: Number(text) };

const memoryBytes = Number(values.memory) * 1024 * 1024;
const file = (path: string) => ({ file: path, bytes: new Uint8Array(readFileSync(path)) });
let printed = "";
const started = performance.now();

const create = coreProcessor(
  await interpreterModule(),
  values.jit === undefined ? DEFAULT_JIT_OPTIONS : jitOptions(values.jit),
);

const machine = createMachine({
  memoryBytes,
  createProcessor: (options) => create({ ...options, model }),
  vcpuCount: Number(values.cpus),
  firmware: new LinuxBoot({
    kernel: file(values.kernel),
    initrd: values.initrd === undefined ? undefined : file(values.initrd),
    commandLine: values.cmdline,
    memoryBytes,
  }),
  inputs: hostInputs,
  serial: [{ write: print }, { write: () => {} }],
  log: (message) => process.stderr.write(`[machine] ${message}\n`),
});

function print(byte: number): void {
  process.stdout.write(Uint8Array.of(byte));
  if (values["exit-after"] === undefined) return;
  printed = (printed + String.fromCharCode(byte)).slice(-256);
  if (printed.includes(values["exit-after"])) end("the text was printed");
}

function end(reason: string): never {
  const seconds = (performance.now() - started) / 1000;
  const cpuMs = process.cpuUsage().user / 1000;
  const instructions = Number(machine.instructions);
  process.stderr.write(
    `\n[machine] ${reason}; ${seconds.toFixed(2)} s, processor ${(cpuMs / 1000).toFixed(2)} s, ` +
      `${(instructions / 1e6).toFixed(0)} M instructions, ${(instructions / 1e3 / cpuMs).toFixed(1)} MIPS\n`,
  );
  const { vcpu } = machine;
  if (vcpu instanceof InterpreterVcpu && vcpu.jit) {
    process.stderr.write(`[machine] ${JSON.stringify(vcpu.jit.statistics)}\n`);
  }
  if (process.stdin.isTTY) process.stdin.setRawMode(false);
  process.exit(0);
}

if (process.stdin.isTTY) process.stdin.setRawMode(true);
process.stdin.on("data", (data: Buffer) => {
  if (data.includes(ESCAPE)) end("ended by the user");
  machine.post({ kind: "serial", port: 0, bytes: new Uint8Array(data) });
});

machine.powerOn();
const runner = new MachineRunner(machine, nodeEventLoop, (event) => {
  if (event === "poweroff") end("powered off");
  if (event === "shutdown") end("triple fault");
});
runner.resume();
