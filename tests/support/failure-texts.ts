// Every text of an expected failure that the sources of the host can say, as patterns: what is put in is `{}`. Found where an AppError is
// made, and where objects have members `consequence` and `remedy`.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseSync } from "oxc-parser";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

export interface FailureText {
  readonly kind: "message" | "consequence" | "remedy";
  readonly text: string;
  readonly file: string;
}

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "type" in value;

export function failureTexts(folder: string): FailureText[] {
  const found: FailureText[] = [];
  for (const name of globSync(`${folder}/**/*.ts`, { cwd: PROJECT })) {
    const source = readFileSync(PROJECT + name, "utf8");
    if (!/AppError|consequence|remedy/.test(source)) continue;
    visit(parseSync(name, source).program as unknown as Node, (node) => {
      const add = (kind: FailureText["kind"], value: unknown) => {
        for (const text of textsIn(value)) found.push({ kind, text, file: name });
      };
      if (node.type === "NewExpression" && isNode(node["callee"]) && node["callee"]["name"] === "AppError")
        add("message", (node["arguments"] as unknown[])[1]);
      if (node.type === "Property" && isNode(node["key"])) {
        const { name: key } = node["key"];
        if (key === "consequence" || key === "remedy") add(key, node["value"]);
      }
    });
  }
  return found;
}

function visit(node: Node, see: (node: Node) => void): void {
  see(node);
  for (const value of Object.values(node)) {
    for (const each of Array.isArray(value) ? value : [value]) if (isNode(each)) visit(each, see);
  }
}

/** Texts that an expression can be: literals, templates, and both ways of a condition. */
function textsIn(value: unknown): string[] {
  if (!isNode(value)) return [];
  if (value.type === "Literal") return typeof value["value"] === "string" ? [value["value"]] : [];
  if (value.type === "TemplateLiteral") {
    const quasis = value["quasis"] as { value: { cooked: string } }[];
    return [quasis.map(({ value: { cooked } }) => cooked).join("{}")];
  }
  if (value.type === "ConditionalExpression") return [...textsIn(value["consequent"]), ...textsIn(value["alternate"])];
  return [];
}
