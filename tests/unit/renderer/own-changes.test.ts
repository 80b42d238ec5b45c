import { describe, expect, test } from "vitest";
import { OwnChanges } from "../../../renderer/app/own-changes.ts";

describe("preferences that come back", () => {
  test("a value of another window is news", () => {
    expect(new OwnChanges().isOld("wizard", false)).toBe(false);
  });

  test("a window's own value is not, and only once", () => {
    const own = new OwnChanges();
    own.sent({ wizard: false });
    expect(own.isOld("wizard", false)).toBe(true);
    expect(own.isOld("wizard", false)).toBe(false);
  });

  test("an older own value does not undo a newer one", () => {
    const own = new OwnChanges();
    own.sent({ soundVolume: 20 });
    own.sent({ soundVolume: 30 });
    expect(own.isOld("soundVolume", 20)).toBe(true);
    expect(own.isOld("soundVolume", 30)).toBe(true);
    expect(own.isOld("soundVolume", 20)).toBe(false);
  });

  test("another's value that an own one on its way overwrites is old", () => {
    const own = new OwnChanges();
    own.sent({ theme: "dark" });
    expect(own.isOld("theme", "light")).toBe(true);
    expect(own.isOld("language", "de")).toBe(false);
    expect(own.isOld("theme", "dark")).toBe(true);
    expect(own.isOld("theme", "light")).toBe(false);
  });

  test("lists are told apart by what they hold", () => {
    const own = new OwnChanges();
    own.sent({ closedGroups: ["Work"] });
    expect(own.isOld("closedGroups", ["Work"])).toBe(true);
    expect(own.isOld("closedGroups", [])).toBe(false);
  });

  test("what a broken connection swallowed is not waited for", () => {
    const own = new OwnChanges();
    own.sent({ theme: "dark" });
    own.forget();
    expect(own.isOld("theme", "dark")).toBe(false);
  });
});
