// Writes docs/instructions.md: every instruction and every CPUID feature with their state, from the rows, the models and the vectors.
//   node scripts/conformance/instructions.ts
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { instructionTables } from "./instruction-tables.ts";

const TARGET = fileURLToPath(new URL("../../docs/instructions.md", import.meta.url));

writeFileSync(TARGET, instructionTables());
console.log(`wrote ${TARGET}`);
