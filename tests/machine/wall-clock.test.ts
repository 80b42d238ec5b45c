// A guest's date is right within a second after everything that makes a machine stand still: the host's sleep, a pause, an old state.
import { expect, it } from "vitest";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { deterministicInputs } from "../../native-core/machine/inputs.ts";
import { type CoreProcessor, coreProcessor } from "../../native-core/machine/processor.ts";
import { LinuxGuest } from "../support/linux-guest.ts";

const DAY_MS = 86_400_000;

it("a Linux guest's date follows the host's through sleep, pause and going back to an old state", async () => {
  const createProcessor = coreProcessor(await interpreterModule());
  let aheadMs = 0;
  let ns = 0n;
  // A clock of the test's own: each look takes a microsecond.
  const inputs = deterministicInputs(() => (ns += 1000n));
  const { wallClockMs } = inputs;
  inputs.wallClockMs = () => wallClockMs() + aheadMs;
  const start = () =>
    LinuxGuest.start({
      flavour: "cloud-amd64",
      // Kernels before 6.10 add more than 18 minutes up with the next tick only, not with the first look.
      script: "echo GUEST-READY; while read line; do sleep 0.1; echo DATE $(date +%s) END; done",
      createProcessor,
      memoryMib: 96,
      parts: { inputs },
    });
  const expectRightDate = async (guest: LinuxGuest) => {
    const from = guest.console.length;
    guest.type("date\n");
    await guest.waitFor("END", from);
    const seconds = Number(/DATE (\d+) END/.exec(guest.console.slice(from))?.[1]);
    expect(Math.abs(seconds - Math.floor(inputs.wallClockMs() / 1000))).toBeLessThanOrEqual(1);
  };
  const guest = await start();
  await guest.waitFor("GUEST-READY");
  await expectRightDate(guest);

  // The host sleeps: its monotonic clock stands still with the machine.
  aheadMs += 3_600_000;
  await expectRightDate(guest);

  guest.machine.pause();
  aheadMs += 60_000;
  guest.machine.resume();
  await expectRightDate(guest);

  guest.machine.pause();
  const state = structuredClone(guest.machine.save());
  const memory = guest.machine.memory as CoreProcessor["memory"];
  const ram = memory.bytes().slice(0, memory.sizeBytes);
  aheadMs += 30 * DAY_MS;
  const restored = await start();
  restored.machine.memory.write(0, ram);
  restored.machine.restore(state);
  restored.machine.resume();
  await expectRightDate(restored);
  expect(restored.console).not.toMatch(/soft lockup|rcu.*stall/);
}, 300_000);
