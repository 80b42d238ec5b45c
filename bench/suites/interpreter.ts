// Suite `interpreter`: how fast code runs that is not compiled, on the workloads of the guest suite. The machine runs in this process and
// in instruction time; what counts is the processor time of its thread, so that others on the host hardly matter.
import "../../native-core/host/v8-flags.ts";
import { readFile } from "node:fs/promises";
import { LinuxBoot } from "../../native-core/firmware/linux-boot.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { createMachine } from "../../native-core/machine/machine.ts";
import { coreProcessor } from "../../native-core/machine/processor.ts";
import { amd64Image } from "../guests/images.ts";
import { benchInit, WORKLOADS, workloadScript } from "../guests/workloads.ts";
import { geometricMean, median, type Report } from "../table.ts";

const MEMORY_BYTES = 256 << 20;
const SLICE_NS = 20_000_000n;
/** The first round warms up: V8 has optimized the interpreter after it. */
const WARM_UP = 1;

/** Millions of instructions per second of processor time, by workload. */
type Mips = ReadonlyMap<string, number>;

export async function interpreterSuite(rounds: number, progress: (text: string) => void): Promise<Report> {
  // The first run of the workloads is `benchInit`'s own.
  const image = await amd64Image("interpreter", benchInit(`while true; do\n${workloadScript()}\ndone`));
  const file = async (path: string) => ({ file: path, bytes: new Uint8Array(await readFile(path)) });
  const commandLine = "console=ttyS0 quiet panic=-1";
  const boot = { kernel: await file(image.kernel), initrd: await file(image.initrd), commandLine };
  const results = await measure(new LinuxBoot({ ...boot, memoryBytes: MEMORY_BYTES }), rounds + WARM_UP, progress);
  const warm = results.slice(WARM_UP);
  const rows = WORKLOADS.map(({ name, title }) => ({
    what: title,
    unit: "MIPS",
    values: { interpreter: median(warm.map((round) => round.get(name) ?? Number.NaN)) },
  }));
  const mean = geometricMean(rows.map(({ values }) => values.interpreter));
  return {
    suite: "interpreter",
    versions: { "Node.js": process.version },
    missing: {},
    rounds,
    rows,
    notes: [`Geometric mean: ${mean.toFixed(0)} MIPS.`],
  };
}

async function measure(firmware: LinuxBoot, rounds: number, progress: (text: string) => void): Promise<Mips[]> {
  const results: Map<string, number>[] = [];
  let round = new Map<string, number>();
  let line = "";
  let begun = { instructions: 0n, cpu: process.threadCpuUsage() };
  const onLine = (text: string): void => {
    const [, what, name = ""] = /MARK (begin|end|done) ?(\S*)/.exec(text) ?? [];
    if (what === "begin") begun = { instructions: machine.instructions, cpu: process.threadCpuUsage() };
    else if (what === "end") {
      const { user, system } = process.threadCpuUsage(begun.cpu);
      round.set(name, Number(machine.instructions - begun.instructions) / (user + system));
    } else if (what === "done") {
      progress(`round ${results.length + 1} of ${rounds}`);
      results.push(round);
      round = new Map();
    }
  };
  const console0 = {
    write: (byte: number): void => {
      if (byte !== 0x0a) line += String.fromCharCode(byte);
      else {
        onLine(line);
        line = "";
      }
    },
  };
  const machine = createMachine({
    memoryBytes: MEMORY_BYTES,
    createProcessor: coreProcessor(await interpreterModule(), "off"),
    firmware,
    serial: [console0, { write: () => {} }],
  });
  machine.powerOn();
  machine.resume();
  while (results.length < rounds) {
    machine.runSlice(SLICE_NS);
    // V8 installs what it has optimized between slices.
    await new Promise((resolve) => setImmediate(resolve));
  }
  machine.dispose();
  return results;
}
