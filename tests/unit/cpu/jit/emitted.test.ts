// What the JIT emits for each instruction: a change here is a change of every such instruction's cost.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { jitTexts } from "../../../../scripts/conformance/jit-text.ts";

const recorded = readFileSync(new URL("./emitted.txt", import.meta.url), "utf8");

it("emitted.txt has what is emitted for each instruction (else: node scripts/conformance/jit-text.ts, and read the difference)", () => {
  const before = new Set(recorded.split(/\n(?=\S)/));
  const changed = jitTexts().filter((text) => !before.has(text));
  expect(changed.slice(0, 5)).toEqual([]);
  expect(jitTexts().join("\n")).toBe(recorded);
}, 30_000);
