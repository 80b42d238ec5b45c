// A setting that nothing reads is a promise nobody keeps: every declared one must be read outside the declaration.
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { settingFields } from "../../native-core/config/changes.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What the product does with a configuration; the declaration itself and its derivations don't count. */
const SOURCES = globSync(["main/**/*.ts", "native-core/**/*.ts", "renderer/**/*.{ts,tsx}"], { cwd: ROOT })
  .filter((file) => !file.startsWith(path.join("native-core", "config")))
  .map((file) => readFileSync(path.join(ROOT, file), "utf8"));

function isRead(setting: string): boolean {
  const read = new RegExp(`\\bconfig\\??\\.${setting.replaceAll(".", "\\??\\.")}\\b(?!\\s*=[^=])`);
  return SOURCES.some((source) => read.test(source));
}

describe("every setting", () => {
  it.each(settingFields().map((field) => field.path))("%s is read by the product", (setting) => {
    expect(isRead(setting)).toBe(true);
  });

  it("would be missed if it were not", () => {
    expect(isRead("boot.turbo")).toBe(false);
  });
});
