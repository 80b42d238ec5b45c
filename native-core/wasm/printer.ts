// Prints a written function as WebAssembly text, one instruction a line: what golden tests compare and people read.
import type { FunctionWriter, Immediate } from "./function-writer.ts";

export function printFunction(f: FunctionWriter): string {
  const lines = [`func ${f.name} (${f.type.params.join(" ")}) -> (${f.type.results.join(" ")})`];
  if (f.locals.length > 0) lines.push(`  local ${f.locals.map((local) => `$${local.index}:${local.type}`).join(" ")}`);
  let depth = 1;
  for (const { name, immediate, likely } of f.instructions) {
    if (name === "end" || name === "else") depth--;
    const hint = likely === undefined ? "" : likely ? " ;; likely" : " ;; unlikely";
    lines.push(`${"  ".repeat(depth)}${name}${printImmediate(immediate)}${hint}`);
    if (name === "block" || name === "loop" || name === "if" || name === "else") depth++;
  }
  return `${lines.join("\n")}\n`;
}

export function printImmediate(immediate: Immediate): string {
  switch (immediate.kind) {
    case "none":
      return "";
    case "index":
      return ` ${immediate.values.join(" ")}`;
    case "signed":
      return ` ${immediate.value}`;
    case "bytes":
      return ` ${[...immediate.bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}`;
    case "blockType":
      return immediate.type ? ` ${immediate.type}` : "";
    case "memory":
      return `${immediate.memory === 0 ? "" : ` memory=${immediate.memory}`}${immediate.offset === 0 ? "" : ` offset=0x${immediate.offset.toString(16)}`}`;
    case "table":
      return ` ${immediate.targets.join(" ")}`;
  }
}
