// The generated table of instructions is what the rows, models and vectors say now.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { instructionTables } from "../../scripts/conformance/instruction-tables.ts";

it("docs/instructions.md is current (else: node scripts/conformance/instructions.ts)", () => {
  expect(readFileSync(new URL("../../docs/instructions.md", import.meta.url), "utf8")).toBe(instructionTables());
}, 30_000);
