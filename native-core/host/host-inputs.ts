// The host's side of the inputs boundary: clocks and randomness.
import { randomFillSync } from "node:crypto";
import type { Inputs } from "../devices/device.ts";

export const hostInputs: Inputs = {
  wallClockMs: () => Date.now(),
  monotonicNs: () => process.hrtime.bigint(),
  random: (bytes) => void randomFillSync(bytes),
};

/** What the host's time zone adds to UTC now. Guests with local time move their clock themselves when summer time begins or ends. */
export function localZoneMs(): number {
  return new Date().getTimezoneOffset() * -60_000;
}
