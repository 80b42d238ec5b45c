import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { isUpToDate } from "../../../native-core/host/up-to-date.ts";
import { temporaryFolder } from "../../support/media/qemu-tools.ts";

const temporary = temporaryFolder("up-to-date");

afterAll(() => temporary.remove());

it("a built file counts until a source anywhere in the folders is younger, or it is gone", () => {
  const sources = temporary.file("sources");
  const deep = join(sources, "a", "b.ts");
  const built = temporary.file("built.js");
  mkdirSync(join(sources, "a"), { recursive: true });
  for (const file of [deep, built]) writeFileSync(file, "");
  expect(isUpToDate(temporary.file("missing.js"), [])).toBe(false);
  utimesSync(deep, 1000, 1000);
  utimesSync(built, 1000, 1000);
  expect(isUpToDate(built, [sources])).toBe(true);
  utimesSync(deep, 1001, 1001);
  expect(isUpToDate(built, [sources])).toBe(false);
  expect(isUpToDate(built, [])).toBe(true);
  expect(isUpToDate(built, [temporary.file("no-folder")])).toBe(false);
});
