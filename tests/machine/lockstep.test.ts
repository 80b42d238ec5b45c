// A kernel's first instructions, interpreted and compiled side by side; scripts/lockstep.ts does the same for whole boots.
import { beforeAll, describe, expect, it } from "vitest";
import { LinuxBoot } from "../../native-core/firmware/linux-boot.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { createMachine } from "../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { runLockstep, type Side } from "../../scripts/lockstep/lockstep.ts";
import { debianKernel, type KernelFlavour } from "../support/linux-guest.ts";

const MEMORY_BYTES = 96 << 20;
const INSTRUCTIONS = 60_000_000n;
/** Hot early, so that much is compiled in this short time. */
const JIT = { threshold: 100, batch: 8 };

let module: WebAssembly.Module;

beforeAll(async () => {
  module = await interpreterModule();
});

type Kernel = Awaited<ReturnType<typeof debianKernel>>;

function side(kernel: Kernel, jit: typeof JIT | "off"): Side {
  let processor: CoreProcessor | undefined;
  const create = coreProcessor(module, jit);
  const machine = createMachine({
    memoryBytes: MEMORY_BYTES,
    createProcessor: (options) => {
      processor = create(options);
      return processor;
    },
    firmware: new LinuxBoot({ kernel, initrd: undefined, commandLine: "console=ttyS0", memoryBytes: MEMORY_BYTES }),
    serial: [{ write: () => {} }, { write: () => {} }],
  });
  machine.powerOn();
  if (!processor) throw new Error("the machine has no processor");
  return { machine, memory: processor.memory };
}

describe("lockstep of interpreter and JIT", () => {
  it.each<KernelFlavour>(["cloud-amd64", "686"])(
    "finds no difference in the first instructions of %s",
    { timeout: 120_000 },
    async (flavour) => {
      const kernel = await debianKernel(flavour);
      const end = runLockstep(side(kernel, "off"), side(kernel, JIT), 1_000_000n, (count) => count >= INSTRUCTIONS);
      expect(end.difference).toBeUndefined();
      expect(end.instructions).toBeGreaterThanOrEqual(INSTRUCTIONS);
    },
  );

  it("stops where the machines differ", { timeout: 60_000 }, async () => {
    const kernel = await debianKernel("cloud-amd64");
    const [interpreted, compiled] = [side(kernel, "off"), side(kernel, JIT)];
    const changeAt = 3_000_000n;
    const { difference } = runLockstep(interpreted, compiled, 1_000_000n, (count) => {
      if (count >= changeAt) compiled.machine.vcpu.state.setGeneral(15, 0x1234_5678_9abcn);
      return count >= 2n * changeAt;
    });
    expect(difference?.agreedAt).toBeGreaterThanOrEqual(changeAt);
    expect(difference?.parts.length).toBeGreaterThan(0);
  });
});
