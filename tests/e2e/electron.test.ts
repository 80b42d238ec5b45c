// The Electron shell, wherever its binary is there (it can't be downloaded everywhere): the same app, sandboxed, over message ports.
// Reported as skipped otherwise, or when `npm run build` has not made out/main yet.
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { _electron, type ElectronApplication, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const electronFolder = path.join(root, "node_modules/electron");

/** The electron package writes the name of its binary into path.txt once it has been downloaded. */
async function electronBinary(): Promise<string | null> {
  const name = await readFile(path.join(electronFolder, "path.txt"), "utf8").catch(() => null);
  const file = name && path.join(electronFolder, "dist", name);
  return file && existsSync(file) ? file : null;
}

const binary = await electronBinary();
const built = existsSync(path.join(root, "out/main/index.js"));

describe.skipIf(!binary || !built)("Electron shell", () => {
  let home: string;
  let app: ElectronApplication;
  let page: Page;

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), "terrarium-electron-"));
    app = await _electron.launch({ executablePath: binary ?? "", args: [root, "--no-sandbox", "--home", home] });
    page = await app.firstWindow();
  }, 60_000);

  afterAll(async () => {
    await app?.close();
    await rm(home, { recursive: true, force: true });
  });

  test("the window reaches the services over its port and shows the start page", async () => {
    await page.getByRole("button", { name: "Start a Linux machine" }).waitFor();
    expect(new URL(page.url()).protocol).toBe("app:");
  });

  test("the page is isolated: no Node, and nothing of Electron but the bridge", async () => {
    const globals = await page.evaluate(() => {
      const names = ["require", "process", "module", "Buffer"];
      return names.filter((name) => name in globalThis);
    });
    expect(globals).toEqual([]);
    expect(await page.evaluate(() => Object.keys(Reflect.get(window, "terrarium") as object))).toEqual(["requestPort"]);
  });
});
