// Records conformance vectors: makes cases of every user-mode row, runs them on this machine's processor, writes tests/conformance/vectors.
//   node scripts/conformance/record.ts [family ...] [programs]
// Needs an x86-64 Linux host and binutils. Seeds are per form, so re-recording changes only what changed.
import { mkdirSync, writeFileSync } from "node:fs";
import { casesOf, type FormChoice, formChoices, formMode } from "./cases.ts";
import { FAMILIES, rowKey, skipReason } from "./families.ts";
import { NativeRunner } from "./native.ts";
import { recordPrograms } from "./recorded-programs.ts";
import { background, difference, encodeOutcome, type Mode, packGroups, type VectorGroup } from "./vector-format.ts";

const VECTORS = new URL("../../tests/conformance/vectors/", import.meta.url);
const MODES: readonly Mode[] = ["64", "legacy", "16"];
/** Vectors per form; 32-bit and 16-bit code repeat what 64-bit code shows, so they get fewer. */
const COUNT: Record<Mode, number> = { "64": 24, legacy: 5, "16": 4 };
/** Each family has at least so many: those with few forms get more of each. */
const LEAST = 1000;
/** Families with few forms and many special values get more, in 64-bit code. */
const DENSE: Record<string, number> = {
  // Many forms of semantics that the SSE families show.
  "avx-derived": 0.2,
  "avx-lane": 0.5,
  "avx-integer": 0.75,
  gather: 3,
  f16c: 6,
  fma: 0.5,
  "sse-arithmetic": 4,
  "sse-compare": 4,
  "sse-convert": 4,
  x87: 2,
  multiply: 2,
  "bit-count": 2,
  "integer-extension": 2,
  sse3: 2,
  "sse41-float": 4,
  "sse42-string": 4,
  crypto: 3,
  sha: 3,
};

const wanted = process.argv.slice(2);
const runner = new NativeRunner();
mkdirSync(VECTORS, { recursive: true });
let total = 0;
let bytes = 0;
try {
  for (const [family, rows] of Object.entries(FAMILIES)) {
    if (wanted.length > 0 && !wanted.includes(family)) continue;
    const groups: VectorGroup[] = [];
    const forms: { readonly group: VectorGroup; readonly choice: FormChoice; readonly count: number }[] = [];
    for (const mode of MODES) {
      for (const row of rows) {
        if (skipReason(row, mode) || (row.mode !== undefined && row.mode !== formMode(mode))) continue;
        const group: VectorGroup = { row: rowKey(row), mode, vectors: [] };
        groups.push(group);
        const factor = DENSE[family] ?? 1;
        const density = mode === "64" ? factor : Math.min(factor, 1);
        const count = Math.ceil((row.mode === "legacy" && mode === "legacy" ? COUNT["64"] : COUNT[mode]) * density);
        for (const choice of formChoices(row, mode)) forms.push({ group, choice, count });
      }
    }
    const planned = forms.reduce((sum, { count }) => sum + count, 0);
    const scale = Math.max(1, LEAST / planned);
    const cases = forms.flatMap(({ group, choice, count }) =>
      casesOf(choice, Math.ceil(count * scale)).map((one) => ({ group, one })),
    );
    const outcomes = runner.run(cases.map(({ one }) => one));
    outcomes.forEach((outcome, n) => {
      const { group, one } = cases[n] as (typeof cases)[number];
      const input = difference(background(one.mode), one.input);
      const output = encodeOutcome(one.mode, one.input, outcome, one.code.length);
      group.vectors.push([Buffer.from(one.code).toString("hex"), input, output]);
    });
    const file = packGroups(groups);
    writeFileSync(new URL(`${family}.jsonl.gz`, VECTORS), file);
    total += cases.length;
    bytes += file.length;
    const undefinedOpcodes = outcomes.filter((outcome) => outcome.fault?.vector === 6).length;
    console.log(
      `${family.padEnd(16)} ${String(cases.length).padStart(6)} vectors ${String(file.length).padStart(8)} bytes, ${undefinedOpcodes} #UD`,
    );
  }
  if (wanted.length === 0 || wanted.includes("programs")) {
    console.log(`${"programs".padEnd(16)} ${String(recordPrograms(runner)).padStart(23)} bytes`);
  }
} finally {
  runner.dispose();
}
console.log(`${"total".padEnd(16)} ${String(total).padStart(6)} vectors ${String(bytes).padStart(8)} bytes`);
