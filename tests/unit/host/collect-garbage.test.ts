import { getHeapStatistics } from "node:v8";
import { expect, it } from "vitest";
import { RestingCollector } from "../../../native-core/host/collect-garbage.ts";

const MIB = 1 << 20;
const heapBytes = () => getHeapStatistics().total_heap_size;

/** Makes some 40 MiB of objects and lets go of them. */
function litter(): void {
  const kept: object[] = [];
  for (let n = 0; n < 500_000; n++) kept.push({ n, text: `object ${n}` });
  expect(kept).toHaveLength(500_000);
}

it("garbage goes back to the host when a guest rests, if there is enough of it", () => {
  const collector = new RestingCollector();
  collector.rest();
  const clean = heapBytes();
  litter();
  expect(heapBytes()).toBeGreaterThan(clean + 20 * MIB);
  collector.rest();
  expect(heapBytes()).toBeLessThan(clean + 8 * MIB);
});

it("what is not worth a stop is left alone", () => {
  const collector = new RestingCollector();
  collector.rest();
  const gone = new WeakRef({});
  collector.rest();
  expect(gone.deref()).toBeDefined();
});
