// Random sequences of instructions in every mode, with privileged state around them, on this core and on QEMU's TCG: what the first
// exception or interrupt finds must be the same.
//   node scripts/conformance/fuzz-system.ts [--count 2000] [--seed text] [--mode MODE] [--jit] [--show N]
// Needs binutils and QEMU. A difference is printed with its seed; `--seed` with a seed that has a slash in it runs that case alone.
// A case that differs in its batch runs once more alone: it may have read what is not its own, the other cases' records or what they left.
import { parseArgs } from "node:util";
import { DEFAULT_JIT_OPTIONS } from "../../native-core/cpu/jit/jit.ts";
import { interpreterModule } from "../../native-core/host/interpreter-module.ts";
import { compareSystem } from "./system/compare.ts";
import { makeSystemCase, SYSTEM_MODES } from "./system/generator.ts";
import { buildSystemImage } from "./system/image.ts";
import type { SystemCase } from "./system/layout.ts";
import { coreRunner, qemuRunner } from "./system/runners.ts";

const BATCH = 250;
const { values } = parseArgs({
  options: {
    count: { type: "string", default: "2000" },
    seed: { type: "string", default: String(Date.now()) },
    mode: { type: "string" },
    jit: { type: "boolean", default: false },
    show: { type: "string", default: "5" },
  },
});
const only = SYSTEM_MODES.find((mode) => mode === values.mode);
const single = values.seed.includes("/");
const count = single ? 1 : Number(values.count);
const image = buildSystemImage();
const tcg = qemuRunner(image);
const core = coreRunner(
  image,
  await interpreterModule(),
  values.jit ? { ...DEFAULT_JIT_OPTIONS, threshold: 1, batch: 1 } : "off",
);

async function isAlikeAlone(one: SystemCase): Promise<boolean> {
  const [[want], [got]] = await Promise.all([tcg.run([one]), core.run([one])]);
  return want !== undefined && got !== undefined && compareSystem(one, want, got).differences.length === 0;
}

let different = 0;
let strayed = 0;
let shown = 0;
const known = new Map<string, number>();
const ends = new Map<string, number>();
const groups = new Map<string, string[]>();
console.log(`seed ${values.seed}`);
try {
  for (let from = 0; from < count; from += BATCH) {
    const seeds = Array.from({ length: Math.min(BATCH, count - from) }, (_, n) =>
      single ? values.seed : `${values.seed}/${from + n}`,
    );
    const cases = seeds.map((seed, n) => makeSystemCase(seed, n, image, only));
    const [expected, actual] = await Promise.all([tcg.run(cases, single), core.run(cases, single)]);
    for (const [n, one] of cases.entries()) {
      const [want, got] = [expected[n], actual[n]];
      if (want === undefined || got === undefined) throw new Error("an outcome is missing");
      const end = typeof want === "string" ? want : `vector ${want.fields.get("vector")}`;
      ends.set(end, (ends.get(end) ?? 0) + 1);
      const { differences, deviation } = compareSystem(one, want, got);
      if (deviation !== undefined) known.set(deviation, (known.get(deviation) ?? 0) + 1);
      if (differences.length === 0) continue;
      if (!single && (await isAlikeAlone(one))) {
        strayed++;
        continue;
      }
      different++;
      const kind = `${one.mode.split(",")[0]}: ${differences
        .map((text) => text.split(":")[0])
        .slice(0, 3)
        .join(", ")}`;
      groups.set(kind, [...(groups.get(kind) ?? []), seeds[n] ?? ""]);
      if (shown++ >= Number(values.show)) continue;
      console.log(`\n${seeds[n]} (${one.mode}), ${end}: ${differences.join("; ")}`);
      const dump = typeof want === "string" ? got : want;
      if (single && typeof dump !== "string")
        console.log([...dump.fields].map(([name, value]) => `${name} ${value.toString(16)}`).join(", "));
      console.log(one.listing.map((line) => `    ${line}`).join("\n"));
    }
  }
} finally {
  tcg.dispose();
}
console.log(`\n${count - different} of ${count} sequences end alike`);
console.log(
  `ends: ${[...ends]
    .sort((a, b) => b[1] - a[1])
    .map(([end, times]) => `${end} ${times}`)
    .join(", ")}`,
);
if (strayed > 0) console.log(`${strayed} differed in their batches only`);
for (const [reason, times] of known) console.log(`known, ${times} times: ${reason}`);
for (const [kind, seeds] of [...groups].sort((a, b) => b[1].length - a[1].length).slice(0, 30))
  console.log(`${String(seeds.length).padStart(5)}  ${kind}   ${seeds.slice(0, 3).join(" ")}`);
process.exitCode = different > 0 ? 1 : 0;
