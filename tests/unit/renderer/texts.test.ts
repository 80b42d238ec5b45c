import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { en } from "../../../renderer/i18n/en.ts";

const root = fileURLToPath(new URL("../../../renderer", import.meta.url));

function keysOf(node: object, prefix = ""): string[] {
  return Object.entries(node).flatMap(([key, value]) =>
    typeof value === "object" ? keysOf(value, `${prefix}${key}.`) : [prefix + key],
  );
}

test("every text is used somewhere, by its whole key or by a key that is put together", () => {
  const files = globSync(`${root}/**/*.{ts,tsx}`).filter((file) => !file.endsWith("en.ts"));
  const source = files.map((file) => readFileSync(file, "utf8")).join("\n");
  const prefixes = [...source.matchAll(/`([a-zA-Z.]+\.)\$\{/g)].map(([, prefix]) => prefix ?? "");
  const unused = keysOf(en)
    .map((key) => key.replace(/_(one|other)$/, ""))
    .filter((key) => !source.includes(`"${key}"`) && !prefixes.some((prefix) => key.startsWith(prefix)));
  expect(unused).toEqual([]);
});
