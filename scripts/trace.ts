// Looks at a booting kernel with a magnifying glass: runs it in instruction time, so that every run is the same, then traces or samples.
//
//   node scripts/trace.ts --kernel FILE [--initrd FILE] [--cmdline S] [--skip N] [--count N] [--sample]
//
// --skip: instructions to run first; --count: how many to trace (default 50), or to sample (default 10 million).
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { buildInterpreter } from "../native-core/cpu/interpreter/build-interpreter.ts";
import { Sampler } from "../native-core/debug/sampler.ts";
import { describeState, instructionAt, trace } from "../native-core/debug/tracer.ts";
import { LinuxBoot } from "../native-core/firmware/linux-boot.ts";
import { createMachine } from "../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../native-core/machine/processor.ts";
import { STATE } from "../native-core/x86/state-layout.ts";

const MEMORY_BYTES = 256 << 20;
const SLICE_NS = 5_000_000n;

const { values } = parseArgs({
  options: {
    kernel: { type: "string" },
    initrd: { type: "string" },
    cmdline: { type: "string", default: "console=ttyS0" },
    skip: { type: "string", default: "0" },
    count: { type: "string" },
    sample: { type: "boolean", default: false },
  },
});
if (values.kernel === undefined) {
  process.stderr.write(
    "usage: node scripts/trace.ts --kernel FILE [--initrd FILE] [--skip N] [--count N] [--sample]\n",
  );
  process.exit(2);
}

const file = (path: string) => ({ file: path, bytes: new Uint8Array(readFileSync(path)) });
let processor: CoreProcessor | undefined;
const create = coreProcessor(new WebAssembly.Module(buildInterpreter()));
const machine = createMachine({
  memoryBytes: MEMORY_BYTES,
  createProcessor: (options) => {
    processor = create(options);
    return processor;
  },
  firmware: new LinuxBoot({
    kernel: file(values.kernel),
    initrd: values.initrd === undefined ? undefined : file(values.initrd),
    commandLine: values.cmdline,
    memoryBytes: MEMORY_BYTES,
  }),
  serial: [{ write: (byte) => void process.stdout.write(Uint8Array.of(byte)) }, { write: () => {} }],
});
machine.powerOn();
machine.resume();
if (!processor) throw new Error("the machine made its processor");
const [vcpu] = processor.vcpus;
if (!vcpu) throw new Error("a machine has at least one vCPU");

const end = BigInt(values.skip);
while (vcpu.state.get(STATE.instructionCount) < end) {
  const { state } = machine.runSlice(SLICE_NS);
  if (state === "shutdown" || state === "poweroff" || state === "reset") break;
}
process.stdout.write(`\n${describeState(vcpu.state)}\n`);
if (values.sample) {
  const sampler = new Sampler(vcpu);
  sampler.run(Number(values.count ?? 10_000_000));
  for (const { rip, percent } of sampler.top(30))
    process.stdout.write(
      `${percent.toFixed(1).padStart(6)} %  ${rip.toString(16)}  ${instructionAt(vcpu, rip) ?? ""}\n`,
    );
} else {
  trace(vcpu, Number(values.count ?? 50), (line) => process.stdout.write(`${line}\n`));
}
