// The host's side of the inputs boundary: clocks and randomness.
import { randomFillSync } from "node:crypto";
import type { Inputs } from "../devices/device.ts";

export const hostInputs: Inputs = {
  wallClockMs: () => Date.now(),
  monotonicNs: () => process.hrtime.bigint(),
  random: (bytes) => void randomFillSync(bytes),
};
