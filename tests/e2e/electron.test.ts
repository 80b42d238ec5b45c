// The Electron shell, wherever its binary is there (it can't be downloaded everywhere): the same app, sandboxed, over message ports.
// Reported as skipped otherwise, with the reason, and when `npm run build` has not made out/desktop yet.
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { _electron, type ElectronApplication, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const desktop = path.join(root, "out/desktop");
const electronFolder = path.join(root, "node_modules/electron");

/** The electron package writes the name of its binary into path.txt once it has been downloaded. */
async function electronBinary(): Promise<string | null> {
  const name = await readFile(path.join(electronFolder, "path.txt"), "utf8").catch(() => null);
  const file = name && path.join(electronFolder, "dist", name);
  return file && existsSync(file) ? file : null;
}

const binary = await electronBinary();
const isBuilt = existsSync(path.join(desktop, "main/index.js"));
const missing = binary === null ? "no Electron binary" : isBuilt ? null : "out/desktop is not built";

describe.skipIf(missing !== null)(`Electron shell${missing === null ? "" : ` (${missing})`}`, () => {
  let home: string;
  let app: ElectronApplication;
  let page: Page;

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), "terrarium-electron-"));
    const env = { ...process.env, TERRARIUM_RESOURCES: path.join(root, "out/starter"), XDG_CONFIG_HOME: home };
    app = await _electron.launch({
      env,
      executablePath: binary ?? "",
      args: [desktop, "--no-sandbox", "--home", home],
    });
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
    expect(await page.evaluate(() => Object.keys(Reflect.get(window, "terrarium") as object))).toEqual([
      "requestPort",
      "pathOf",
    ]);
  });

  test("the page opens no window but a machine's own, and can't leave the app", async () => {
    const opened = await page.evaluate(() => window.open("https://example.org/"));
    expect(opened).toBeNull();
    await page.evaluate(() => window.location.assign("https://example.org/"));
    expect(new URL(page.url()).protocol).toBe("app:");
  });

  test("a second start with a link goes there in the same window", async () => {
    await app.evaluate(({ app: electron }) =>
      electron.emit("second-instance", {}, ["terrarium", "/x/lab.terrarium"], "/"),
    );
    await page.getByRole("dialog", { name: "Import a machine" }).waitFor();
    expect(app.windows()).toHaveLength(1);
  });

  test("a page that crashes is loaded again", async () => {
    await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.webContents.forcefullyCrashRenderer());
    await page.getByRole("button", { name: "Start a Linux machine" }).waitFor();
  });
});
