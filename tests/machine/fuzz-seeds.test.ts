// Seeds of `scripts/conformance/fuzz-machine.ts` that broke something once, and a few that never did.
import { describe, expect, it } from "vitest";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { MachineFuzz, PROGRAMS_PER_MACHINE } from "../../scripts/conformance/machine-fuzz.ts";

const TIMEOUT_MS = 120_000;

/**
 * Time stood still in instruction time: nothing retired, because every delivery asked the vCPU to leave, or because the handler of #DB had
 * a breakpoint itself.
 */
const STOOD_STILL = ["1795224157430", "1795227157428", "995028"];

describe("Random programs on a whole machine", () => {
  it.each([...STOOD_STILL, "first", "second"])(
    "end in bounded time and throw nothing: seed %s",
    async (seed) => {
      const outcome = new MachineFuzz(await interpreterModule()).run(seed);
      expect(outcome.programs).toBe(PROGRAMS_PER_MACHINE);
    },
    TIMEOUT_MS,
  );
});
