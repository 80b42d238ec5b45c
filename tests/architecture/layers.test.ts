// The layers hold over the whole tree, and the checker catches what it claims to.
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { boxOf, checkFile, checkTree } from "../../scripts/layers.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

describe("layers", () => {
  it("hold over every source file", async () => {
    const { violations, files } = await checkTree(PROJECT);
    expect(violations).toEqual([]);
    expect(files).toBeGreaterThan(50);
  });

  it.each([
    ["the renderer may not import the store", "renderer/app/x.ts", 'import { open } from "../../main/store/open.ts";'],
    ["the renderer may not import Node", "renderer/app/x.ts", 'import { readFile } from "node:fs";'],
    [
      "main may not import the emulator",
      "main/services/x.ts",
      'import { Machine } from "../../native-core/machine/machine.ts";',
    ],
    [
      "main may not import it as a type either",
      "main/services/x.ts",
      'import type { Vcpu } from "../../native-core/cpu/vcpu.ts";',
    ],
    ["only the store may import better-sqlite3", "main/services/x.ts", 'import Database from "better-sqlite3";'],
    ["only the desktop shell may import electron", "main/services/x.ts", 'export { app } from "electron";'],
    [
      "a device may not import the CPU",
      "native-core/devices/pic/x.ts",
      'const cpu = await import("../../cpu/vcpu.ts");',
    ],
    [
      "semantics may not import the interpreter",
      "native-core/x86/semantics/x.ts",
      'import "../../cpu/interpreter/lower.ts";',
    ],
    ["the neutral core may not import Node", "native-core/media/x.ts", 'import { open } from "node:fs/promises";'],
    ["the contract may not import services", "main/contract/x.ts", 'import "../services/machines.ts";'],
  ])("%s", (_title, path, source) => {
    expect(checkFile(path, source)).toHaveLength(1);
  });

  it.each([
    [
      "a device may use the neutral helpers",
      "native-core/devices/pic/x.ts",
      'import { assert } from "../../common/assert.ts";',
    ],
    [
      "the renderer may use the contract",
      "renderer/app/x.ts",
      'import { contract } from "../../main/contract/index.ts";',
    ],
    ["the desktop shell may use electron", "main/desktop/window.ts", 'import { BrowserWindow } from "electron";'],
  ])("%s", (_title, path, source) => {
    expect(checkFile(path, source)).toEqual([]);
  });

  it("put every file of the three trees into a box", () => {
    expect(boxOf("native-core/cpu/vcpu.ts")?.path).toBe("native-core/cpu");
    expect(boxOf("main/desktop/window.ts")?.path).toBe("main/desktop");
    expect(boxOf("main/server.ts")?.path).toBe("main");
  });
});
