import { expect, it } from "vitest";
import { DEFAULT_JIT_OPTIONS } from "../../../native-core/cpu/jit/jit.ts";
import { interpreterModule } from "../../../native-core/host/interpreter-module.ts";
import { rehearse } from "../../../native-core/host/rehearsal.ts";
import type { ProcessorFactory } from "../../../native-core/machine/machine.ts";
import { type CoreProcessor, coreProcessor } from "../../../native-core/machine/processor.ts";
import { STATE } from "../../../native-core/x86/state-layout.ts";

async function watchedFactory(): Promise<{ made: CoreProcessor[]; factory: ProcessorFactory<CoreProcessor> }> {
  const made: CoreProcessor[] = [];
  const create = coreProcessor(await interpreterModule(), { ...DEFAULT_JIT_OPTIONS, now: () => performance.now() });
  return {
    made,
    factory: (options) => {
      const processor = create(options);
      made.push(processor);
      return processor;
    },
  };
}

it("a rehearsal runs its guest in two machines, without a fault", async () => {
  const { made, factory } = await watchedFactory();
  await rehearse(factory, () => true);
  expect(made).toHaveLength(2);
  for (const { vcpus } of made) {
    const { state } = vcpus[0] ?? expect.fail("there is a vCPU");
    expect(state.get(STATE.instructionCount)).toBeGreaterThan(10_000n);
    expect(state.get(STATE.cr2)).toBe(0n);
    expect(state.get(STATE.rip)).toBeGreaterThan(0x100_0000n);
  }
});

it("a rehearsal ends when a machine is wanted", async () => {
  const { made, factory } = await watchedFactory();
  await rehearse(factory, () => made.length === 0);
  expect(made).toHaveLength(1);
});
