// Runs batches of the system-mode fuzzer: on QEMU's TCG and on a machine of this core. A batch that ends early, by a triple fault or because
// nothing more comes, is taken up again behind the case that did it.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { JitOptions } from "../../../native-core/cpu/jit/jit.ts";
import { createMachine } from "../../../native-core/machine/machine.ts";
import { coreProcessor } from "../../../native-core/machine/processor.ts";
import { MultibootLoader } from "../../suites/multiboot.ts";
import type { SystemImage } from "./image.ts";
import { type Dump, decodeDumps, encodeBatch, type SystemCase } from "./layout.ts";

/** A dump, or how the machine ended instead. */
export type Outcome = Dump | "triple fault" | "no end";

interface Run {
  readonly output: Uint8Array;
  readonly end: "done" | "hurt" | "triple fault" | "no end";
}

/** What the guest writes to the exit port (boot.s). */
const EXIT_HURT = 1;

export interface SystemRunner {
  run(cases: readonly SystemCase[], full?: boolean): Promise<Outcome[]>;
}

const OUTPUT_PORT = 0xe9;
const EXIT_PORT = 0xf4;
const MEMORY_BYTES = 64 << 20;

function resuming(runBatch: (module: Uint8Array) => Promise<Run>): SystemRunner {
  return {
    run: async (cases, full = false) => {
      const outcomes: Outcome[] = [];
      while (outcomes.length < cases.length) {
        const { output, end } = await runBatch(encodeBatch(cases.slice(outcomes.length), full));
        outcomes.push(...decodeDumps(output, full));
        if (end === "hurt") {
          if (output.length === 0) throw new Error("the first case of a batch did not arrive whole");
        } else if (end !== "done") outcomes.push(end);
        else if (outcomes.length < cases.length) throw new Error("the batch ended before its last case");
      }
      return outcomes;
    },
  };
}

const SILENCE_MS = 3000;

/** TCG with a processor that has what this core has and more. */
export function qemuRunner(image: SystemImage): SystemRunner & { dispose(): void } {
  const folder = mkdtempSync(join(tmpdir(), "terrarium-tcg-"));
  const path = (name: string): string => join(folder, name);
  writeFileSync(path("kernel"), image.elf);
  const args = [
    ...["-nodefaults", "-display", "none", "-no-reboot", "-accel", "tcg", "-cpu", "max", "-m", "64"],
    ...["-device", `isa-debugcon,iobase=${OUTPUT_PORT},chardev=out`, "-chardev", `file,id=out,path=${path("out")}`],
    ...["-device", `isa-debug-exit,iobase=${EXIT_PORT}`, "-kernel", path("kernel"), "-initrd", path("module")],
  ];
  const runner = resuming(async (module) => {
    writeFileSync(path("module"), module);
    writeFileSync(path("out"), "");
    const child = spawn("qemu-system-x86_64", args, { stdio: "ignore" });
    const exited = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.on("exit", (code, signal) => resolve(signal ?? code));
      child.on("error", reject);
    });
    const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
    // No progress for a while: it runs in circles, or has halted.
    let size = -1;
    let quietMs = 0;
    while (!hasEnded() && quietMs < SILENCE_MS) {
      await delay(50);
      const now = statSync(path("out")).size;
      quietMs = now === size ? quietMs + 50 : 0;
      size = now;
    }
    const isSilent = !hasEnded();
    if (isSilent) child.kill("SIGKILL");
    const code = await exited;
    if (!isSilent && typeof code === "string") throw new Error(`QEMU was ended by ${code}`);
    // isa-debug-exit: the value twice plus one. Without it, -no-reboot ended QEMU.
    const ends = new Map<unknown, Run["end"]>([
      [1, "done"],
      [EXIT_HURT * 2 + 1, "hurt"],
    ]);
    const end = isSilent ? "no end" : (ends.get(code) ?? "triple fault");
    return { output: new Uint8Array(readFileSync(path("out"))), end };
  });
  return { ...runner, dispose: () => rmSync(folder, { recursive: true }) };
}

const SLICE_NS = 1_000_000n;
/** Guest instructions without output after which a case counts as endless; the monitor takes a million. */
const SLICES_WITHOUT_OUTPUT = 20;

export function coreRunner(image: SystemImage, interpreter: WebAssembly.Module, jit: JitOptions | "off"): SystemRunner {
  return resuming((module) => {
    const output: number[] = [];
    let end: Run["end"] | undefined;
    const machine = createMachine({
      memoryBytes: MEMORY_BYTES,
      createProcessor: (options) => coreProcessor(interpreter, jit)({ ...options, model: "max" }),
      firmware: new MultibootLoader({
        image: image.elf,
        commandLine: "",
        module,
        memoryBytes: MEMORY_BYTES,
        cpuCount: 1,
      }),
      serial: [{ write: () => {} }, { write: () => {} }],
    });
    machine.bus.mapPorts(OUTPUT_PORT, 1, { read: () => 0xff, write: (_, __, value) => void output.push(value) });
    machine.bus.mapPorts(EXIT_PORT, 1, {
      read: () => 0xff,
      write: (_, __, value) => void (end = value === EXIT_HURT ? "hurt" : "done"),
    });
    machine.powerOn();
    machine.resume();
    try {
      for (let quiet = 0, length = 0; end === undefined; quiet++) {
        const { state } = machine.runSlice(SLICE_NS);
        if (output.length !== length) quiet = 0;
        length = output.length;
        if (end !== undefined) break;
        if (state === "shutdown" || state === "reset") end = "triple fault";
        else if (quiet > SLICES_WITHOUT_OUTPUT || state !== "running") end = "no end";
      }
      return Promise.resolve({ output: Uint8Array.from(output), end });
    } finally {
      machine.dispose();
    }
  });
}
