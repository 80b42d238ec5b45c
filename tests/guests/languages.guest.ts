// Python's own tests of arithmetic, and gcc with a program that prints what floats and integers come to: minutes each, so part of
// `npm run guests`.
import { compareWithNative } from "./compare.ts";

compareWithNative({
  ...Object.fromEntries(
    ["math", "float", "struct", "cmath", "long", "array", "decimal"].map((name) => [
      `python passes its own tests of ${name}`,
      `python3 -m test test_${name} 2>&1 | grep '^Tests result'`,
    ]),
  ),
  "gcc compiles numbers, which computes the same at -O0, -O2 and -O3":
    "for o in -O0 -O2 -O3; do gcc $o -frounding-math /programs/numbers.c -lm -o /tmp/numbers && /tmp/numbers | tee /tmp/out | sha256sum; done; cat /tmp/out",
});
