// Boots Linux twice at once, interpreted and compiled, and stops at the first difference between the two machines.
//
//   node scripts/lockstep.ts --kernel FILE [--initrd FILE] [--cmdline S] [--memory MIB] [--slice NS] [--until INSTRUCTIONS] [--threshold N]
//
// Instruction time makes both runs the same. A smaller slice finds the difference nearer to its cause; --threshold 1 compiles at once.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import "../native-core/host/v8-flags.ts";
import { DEFAULT_JIT_OPTIONS, type JitOptions } from "../native-core/cpu/jit/jit.ts";
import { LinuxBoot } from "../native-core/firmware/linux-boot.ts";
import { interpreterModule } from "../native-core/host/interpreter-module.ts";
import { createMachine } from "../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../native-core/machine/processor.ts";
import { runLockstep, type Side } from "./lockstep/lockstep.ts";

const { values } = parseArgs({
  options: {
    kernel: { type: "string" },
    initrd: { type: "string" },
    cmdline: { type: "string", default: "console=ttyS0" },
    memory: { type: "string", default: "128" },
    slice: { type: "string", default: "1000000" },
    until: { type: "string" },
    threshold: { type: "string", default: String(DEFAULT_JIT_OPTIONS.threshold) },
  },
});
if (values.kernel === undefined) {
  process.stderr.write(
    "usage: node scripts/lockstep.ts --kernel FILE [--initrd FILE] [--slice NS] [--until INSTRUCTIONS]\n",
  );
  process.exit(2);
}
const file = (path: string) => ({ file: path, bytes: new Uint8Array(readFileSync(path)) });
const kernel = file(values.kernel);
const initrd = values.initrd === undefined ? undefined : file(values.initrd);
const memoryBytes = Number(values.memory) * 2 ** 20;
const module = await interpreterModule();

function side(jit: JitOptions | "off", print: (byte: number) => void): Side {
  let processor: CoreProcessor | undefined;
  const create = coreProcessor(module, jit);
  const machine = createMachine({
    memoryBytes,
    createProcessor: (options) => {
      processor = create(options);
      return processor;
    },
    firmware: new LinuxBoot({ kernel, initrd, commandLine: values.cmdline, memoryBytes }),
    serial: [{ write: print }, { write: () => {} }],
  });
  machine.powerOn();
  if (!processor) throw new Error("the machine made its processor");
  return { machine, memory: processor.memory };
}

const until = values.until === undefined ? undefined : BigInt(values.until);
const { difference, instructions } = runLockstep(
  side("off", (byte) => void process.stdout.write(Uint8Array.of(byte))),
  side({ ...DEFAULT_JIT_OPTIONS, threshold: Number(values.threshold) }, () => {}),
  BigInt(values.slice),
  (count) => until !== undefined && count >= until,
);
if (difference) {
  const { agreedAt, foundAt, rip, parts } = difference;
  process.stdout.write(`\nthe sides differ between instructions ${agreedAt} and ${foundAt}, RIP ${rip}\n`);
  for (const part of parts) process.stdout.write(`  ${part}\n`);
  process.exitCode = 1;
} else process.stdout.write(`\nno difference in ${instructions} instructions\n`);
