// Settings of V8 that must be made before anything is compiled: the VM process imports this first.
import { setFlagsFromString } from "node:v8";

/** The core marks its slow paths; V8 moves them out of the way (core.md: CoreMark 97 to 85 ms). */
setFlagsFromString("--experimental-wasm-branch-hinting");

/** Compiled regions are small: optimize them after a tenth of V8's usual patience. */
setFlagsFromString("--wasm-tiering-budget=1000000");

/**
 * A machine's memory counts as memory outside of V8's heap, and so much of it at once makes V8 collect garbage then and there: up to 60 ms of
 * each start and restore. As part of the limit of all memory it only makes the next collection come earlier.
 */
setFlagsFromString("--external-memory-accounted-in-global-limit");

/**
 * Modules are ours, and tests compile all kinds of code without this: a function is checked when it is first compiled, not in front of that
 * by other threads that the guest's has to wait for.
 */
setFlagsFromString("--wasm-lazy-validation");

/**
 * Compiled code nests at most 100 regions of less than a KiB of stack each (jit/region-writer.ts) and nothing of it recurses, so it needs no
 * look at the stack's end in each function and loop: 8 to 12 % of md5sum, gzip and fork. JavaScript in between keeps its own, which is also
 * where a running thread sees what V8 wants of it.
 */
setFlagsFromString("--no-wasm-stack-checks");
