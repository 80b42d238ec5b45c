// Snapshots in other orders than the tree: changed files as folders, days on a line of time, and what a search marks.
import { describe, expect, test } from "vitest";
import type { FileChange } from "../../../main/contract/schemas.ts";
import { partsOf } from "../../../renderer/features/search/match-parts.ts";
import { diffTree } from "../../../renderer/features/snapshots/diff-tree.ts";
import { daysOf } from "../../../renderer/features/snapshots/timeline-layout.ts";

const change = (path: string, what: FileChange["change"], kind: FileChange["kind"] = "file"): FileChange => ({
  ...{ path, change: what, kind, sizeBefore: null, sizeAfter: null },
});

describe("the tree of changed files", () => {
  test("joins folders that only lead to one folder, and counts what is in each", () => {
    const tree = diffTree([
      change("/etc/fstab", "changed"),
      change("/usr/share/doc/a", "added"),
      change("/usr/share/doc/b", "removed"),
      change("/zero", "added"),
    ]);
    expect(tree.map(({ name, counts }) => [name, counts])).toEqual([
      ["etc", { added: 0, changed: 1, removed: 0 }],
      ["usr/share/doc", { added: 1, changed: 0, removed: 1 }],
      ["zero", { added: 1, changed: 0, removed: 0 }],
    ]);
    expect(tree[1]?.children.map(({ name, path }) => [name, path])).toEqual([
      ["a", "/usr/share/doc/a"],
      ["b", "/usr/share/doc/b"],
    ]);
  });

  test("keeps a row for a folder that came or went itself", () => {
    const [folder] = diffTree([change("/new", "added", "folder"), change("/new/inner/file", "added")]);
    expect(folder).toMatchObject({ name: "new", change: { kind: "folder" }, counts: { added: 2 } });
    expect(folder?.children.map(({ name }) => name)).toEqual(["inner"]);
  });
});

test("the timeline has a place for each day, the oldest first", () => {
  const at = (day: number, hour: number) => ({ takenAtMs: new Date(2026, 0, day, hour).getTime() });
  const days = daysOf([at(3, 9), at(1, 23), at(3, 8), at(2, 0)]);
  expect(days.map(({ items }) => items.length)).toEqual([1, 1, 2]);
  expect(days[2]?.items).toEqual([at(3, 8), at(3, 9)]);
  expect(days[1]?.dayMs).toBe(new Date(2026, 0, 2).getTime());
});

test("what was searched for is marked wherever it is in the line", () => {
  const found = (line: string, text: string, isRegex = false) =>
    partsOf(line, text, isRegex)
      .map(({ part, found: is }) => (is ? `<${part}>` : part))
      .join("");
  expect(found("an Error is an error", "error")).toBe("an <Error> is an <error>");
  expect(found("1.5 and 1x5", "1.5")).toBe("<1.5> and 1x5");
  expect(found("a1b22", "\\d+", true)).toBe("a<1>b<22>");
  expect(found("nothing", "(", true)).toBe("nothing");
  expect(found("abc", "x*", true)).toBe("abc");
});
