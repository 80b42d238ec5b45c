// The text of docs/instructions.md (instructions.ts writes it, tests/conformance checks that it is current).
import { FEATURES, type FeatureName, isInstructionFeature } from "../../native-core/cpu/cpuid/features.ts";
import { CPU_MODEL_NAMES, featuresOf } from "../../native-core/cpu/cpuid/models.ts";
import type { InstructionRow } from "../../native-core/x86/row.ts";
import { ROWS } from "../../native-core/x86/rows.ts";
import { FAMILIES, rowKey, skipReason } from "./families.ts";
import { families, vectorCounts } from "./replay.ts";

const HEAD = `# Instructions and CPUID features

Generated from the instruction rows, the CPUID models and the recorded vectors by \`node scripts/conformance/instructions.ts\`; a test
fails when it is not current. [conformance.md](conformance.md) says how vectors are made and what is not compared,
[guide/processor.md](guide/processor.md) what is approximate and why.
`;

export function instructionTables(): string {
  const counts = new Map<string, number>();
  for (const family of families()) {
    for (const [key, count] of vectorCounts(family)) counts.set(key, (counts.get(key) ?? 0) + count);
  }
  return [
    HEAD,
    featureSection(),
    ...Object.entries(FAMILIES).map(([name, rows]) => familySection(name, rows, counts)),
  ].join("\n");
}

// --- features --------------------------------------------------------------------------------------------------------------

function featureSection(): string {
  const rows = (Object.keys(FEATURES) as FeatureName[]).map((name) => {
    const shown = CPU_MODEL_NAMES.filter((model) => featuresOf(model).includes(name));
    const instructions = isInstructionFeature(name) ? String(mnemonicsOf(name)) : "";
    return [name, bitOf(name), instructions, shown.length > 0 ? `from ${shown[0] ?? ""}` : "not shown"];
  });
  const heading =
    "## CPUID features\n\nEach model shows what the smaller ones show: baseline, x86-64-v2, x86-64-v3, max.\n";
  return `${heading}\n${table(["feature", "bit", "instructions", "shown"], rows)}`;
}

const mnemonicsOf = (feature: string): number =>
  new Set(ROWS.filter((row) => row.feature === feature).map(({ mnemonic }) => mnemonic)).size;

function bitOf(name: FeatureName): string {
  const { leaf, subleaf, register, bit } = FEATURES[name];
  return `${leaf.toString(16).toUpperCase()}${subleaf === undefined ? "" : `.${subleaf}`} ${register.toUpperCase()} ${bit}`;
}

// --- instructions ------------------------------------------------------------------------------------------------------------

/** One line per mnemonic: a mnemonic's rows differ in operands only. */
function familySection(name: string, rows: readonly InstructionRow[], counts: ReadonlyMap<string, number>): string {
  const byMnemonic = Map.groupBy(rows, ({ mnemonic }) => mnemonic);
  const lines = [...byMnemonic].map(([mnemonic, same]) => {
    const vectors = same.reduce((sum, row) => sum + (counts.get(rowKey(row)) ?? 0), 0);
    const features = [...new Set(same.map(({ feature }) => feature ?? "base"))];
    return [mnemonic, features.join(", "), String(same.length), vectors > 0 ? String(vectors) : stateOf(same)];
  });
  return `## ${name}\n\n${table(["instruction", "feature", "encodings", "vectors"], lines)}`;
}

function stateOf(rows: readonly InstructionRow[]): string {
  const reasons = rows.map((row) => skipReason(row, row.mode ?? "64"));
  return reasons.every((reason) => reason === undefined) ? "none" : "unit tests";
}

/** A Markdown table with columns of equal width, as the formatter wants it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, n) => Math.max(title.length, 3, ...rows.map((row) => (row[n] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, n) => (cells[n] ?? "").padEnd(width)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return `${[line(head), rule, ...rows.map(line)].join("\n")}\n`;
}
