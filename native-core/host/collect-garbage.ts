// Gives memory of V8's heap back to the host when the machine has no use for the processor. By itself V8 does so only after a while of few
// allocations, which a guest that wakes up eight times a second never has.
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How much the heap has grown since it was last cleaned up before it is worth stopping for. */
const WORTH_BYTES = 12 << 20;

interface GcOptions {
  readonly type: "major";
  /** `last-resort` moves what is left together and drops baseline code, which is made again when it is called. */
  readonly flavor: "regular" | "last-resort";
}

/** Node offers no other way to it than V8's own function, which new contexts have while the flag is set. */
export function collectGarbage(flavor: GcOptions["flavor"]): void {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as (options: GcOptions) => void;
  setFlagsFromString("--no-expose-gc");
  gc({ type: "major", flavor });
}

/** Cleans up after a guest that has worked and rests now. Takes 50 to 100 ms, in which the machine stands still. */
export class RestingCollector {
  #keptBytes = 0;

  /** Takes over from V8's memory reducer, which would collect twice more in the ten seconds after each rest, 150 ms in all, and find nothing. */
  constructor() {
    setFlagsFromString("--memory-reducer-gc-count=0");
  }

  rest(): void {
    if (getHeapStatistics().total_heap_size < this.#keptBytes + WORTH_BYTES) return;
    collectGarbage("last-resort");
    this.#keptBytes = getHeapStatistics().total_heap_size;
  }
}
