// A guest that finds itself copied draws new random numbers (the cloud kernel has no driver for it, Debian's usual one has).
import { expect, it } from "vitest";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { LinuxGuest } from "../support/linux-guest.ts";

const RESEEDED = "crng reseeded due to virtual machine fork";

it("Linux reseeds its random pool in a copy of a running machine, and only there", async () => {
  const createProcessor = coreProcessor(await interpreterModule());
  const guestOf = (id: number) =>
    LinuxGuest.start({
      flavour: "amd64",
      script: "while true; do echo TICK; sleep 1; done",
      createProcessor,
      memoryMib: 160,
      parts: { generationId: new Uint8Array(16).fill(id) },
    });
  const original = await guestOf(1);
  // The kernel has nothing to reseed before its pool is initialized.
  await original.waitFor("crng init done");
  await original.waitFor("TICK");
  const state = structuredClone(original.machine.save());
  const memory = original.machine.memory as CoreProcessor["memory"];
  const ram = memory.bytes().slice(0, memory.sizeBytes);

  const copy = await guestOf(2);
  copy.machine.memory.write(0, ram);
  copy.machine.restore(state);
  copy.machine.resume();
  await copy.waitFor(RESEEDED);

  const resumed = await guestOf(1);
  resumed.machine.memory.write(0, ram);
  resumed.machine.restore(state);
  resumed.machine.resume();
  for (let tick = 0; tick < 3; tick++) await resumed.waitFor("TICK", resumed.console.length);
  expect(resumed.console).not.toContain(RESEEDED);
}, 300_000);
