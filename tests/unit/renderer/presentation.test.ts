import { describe, expect, test } from "vitest";
import type { HostInfo, MachineSummary } from "../../../main/contract/schemas.ts";
import {
  changedPreferences,
  preferencesFrom,
  readPreferences,
  WINDOW_KEYS,
} from "../../../renderer/app/preferences-format.ts";
import { diagnosticsText } from "../../../renderer/features/about/diagnostics.ts";
import { filterLog, logText } from "../../../renderer/features/logs/log-model.ts";
import { matchesWords } from "../../../renderer/features/palette/match.ts";
import { ageOf, formatBytes } from "../../../renderer/ui/format.ts";

describe("numbers and ages", () => {
  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1536, "1.5 KiB"],
    [10 * 2 ** 20, "10 MiB"],
    [123.4 * 2 ** 30, "123 GiB"],
    [-5, "0 B"],
    [2 ** 60, "1048576 TiB"],
  ])("%d bytes are shown as %s", (bytes, expected) => {
    expect(formatBytes(bytes)).toBe(expected);
  });

  test.each([
    [-5000, { unit: "now" }],
    [59_999, { unit: "now" }],
    [60_000, { unit: "minutes", count: 1 }],
    [3_599_999, { unit: "minutes", count: 59 }],
    [3_600_000, { unit: "hours", count: 1 }],
    [86_400_000 * 3, { unit: "days", count: 3 }],
  ])("an age of %d ms is %j", (ageMs, expected) => {
    expect(ageOf(1_000_000_000, 1_000_000_000 + ageMs)).toEqual(expected);
  });
});

describe("remembered preferences", () => {
  test("values of the wrong type are dropped one by one", () => {
    const stored = JSON.stringify({
      theme: "dark",
      consoleFontSize: "big",
      closedBoxes: {},
      selectedMachine: "0123",
      x: 1,
    });
    const read = readPreferences(stored);
    expect(read).toMatchObject({ theme: "dark", consoleFontSize: 13, closedBoxes: [], selectedMachine: "0123" });
    expect(read).not.toHaveProperty("x");
  });

  test("what the host has is laid over what this window has, and only differences are sent back", () => {
    const local = readPreferences(JSON.stringify({ theme: "dark", consoleFontSize: 15 }));
    const merged = preferencesFrom({ consoleFontSize: 20, listOrder: ["a"], theme: 7 }, local);
    expect(merged).toMatchObject({ theme: "dark", consoleFontSize: 20, listOrder: ["a"] });
    expect(changedPreferences(local, merged)).toEqual({ consoleFontSize: 20, listOrder: ["a"] });
    expect(changedPreferences(merged, merged)).toEqual({});
  });

  test("what belongs to one window is not followed by others", () => {
    const keys = Object.keys(readPreferences("{}"));
    for (const key of WINDOW_KEYS) expect(keys).toContain(key);
    expect(WINDOW_KEYS.has("theme")).toBe(false);
  });

  test.each([null, "", "null", "[1]", "{broken"])("%j gives the defaults", (text) => {
    expect(readPreferences(text)).toEqual(readPreferences("{}"));
  });
});

describe("log", () => {
  const entries = [
    { atMs: 0, level: "info", message: "The machine started" },
    { atMs: 1, level: "warn", message: "Slow disk" },
    { atMs: 2, level: "error", message: "The machine stopped" },
  ] as const;

  test("the level filter keeps what is at least as severe", () => {
    expect(filterLog(entries, "", "warn").map(({ level }) => level)).toEqual(["warn", "error"]);
    expect(filterLog(entries, "MACHINE", "all").length).toBe(2);
    expect(filterLog(entries, "machine", "error").length).toBe(1);
  });

  test("saved as text, one line per entry", () => {
    expect(logText(entries.slice(0, 1))).toBe("1970-01-01T00:00:00.000Z info  The machine started\n");
  });
});

test.each([
  ["Take Snapshot Starter", "sna st", true],
  ["Take Snapshot Starter", "shot", false],
  ["Power Off", "", true],
])("in the palette %j is found by %j: %s", (text, typed, expected) => {
  expect(matchesWords(text, typed)).toBe(expected);
});

test("the diagnostics report names versions and numbers, but no machine, path or text of the user", () => {
  const machine = {
    name: "Secret project",
    group: "Customer",
    state: "aborted",
    currentSnapshotName: "Before the leak",
    lastFailure: { code: "NO_SPACE", message: "/home/somebody/disk is full", file: "/home/somebody/disk" },
  } as MachineSummary;
  const host = {
    appVersion: "1.2.3",
    contractVersion: 1,
    platform: "linux x64",
    cpuModel: "CPU",
    cpuCount: 4,
    cpuLoad: 0.5,
    memoryBytes: 2 ** 33,
    freeMemoryBytes: 2 ** 32,
    freeDiskBytes: 2 ** 30,
    home: "/home/somebody/.local/share/terrarium",
    starterAvailable: true,
    notices: ["The machine Secret project was repaired"],
  } as HostInfo;
  const text = diagnosticsText({ host, machines: [machine], userAgent: "Chromium", shell: "browser", atMs: 0 });
  expect(text).toContain("Machines: 1 aborted");
  expect(text).toContain("Last failures: 1 NO_SPACE");
  expect(text).toContain("Memory: 4.0 GiB of 8.0 GiB free");
  for (const secret of ["Secret", "Customer", "somebody", "leak", "/home"]) expect(text).not.toContain(secret);
});
