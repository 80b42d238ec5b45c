// How many clicks common errands take from the main window. The numbers are promises: an errand may become shorter, never longer.
import { readdir } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, describe, expect, test, vi } from "vitest";
import { temporaryFolder } from "../support/media/qemu-tools.ts";
import { machineRow, runInConsole, showPane, takeSnapshot, waitForConsole, waitForState } from "./support/actions.ts";

import { appUnderTest } from "./support/app-under-test.ts";

const NAME = "Starter Linux";

let page: Page;

const folder = temporaryFolder("walks");
vi.stubEnv("HOME", folder.path);

afterAll(() => {
  vi.unstubAllEnvs();
  return folder.remove();
});

appUnderTest({
  async begin(app) {
    ({ page } = app);
    await page.getByRole("button", { name: "Start a Linux machine" }).waitFor();
  },
});

/** The clicks that reach the page while `errand` runs. */
async function clicksOf(errand: () => Promise<void>): Promise<number> {
  await page.evaluate(() => {
    const counting = Reflect.has(window, "clicks");
    Reflect.set(window, "clicks", 0);
    if (counting) return;
    const count = () => Reflect.set(window, "clicks", Number(Reflect.get(window, "clicks")) + 1);
    for (const kind of ["click", "contextmenu"]) document.addEventListener(kind, count, { capture: true });
  });
  await errand();
  return page.evaluate(() => Number(Reflect.get(window, "clicks")));
}

describe("clicks from the main window", () => {
  test("a new user boots Linux: one", async () => {
    const clicks = await clicksOf(async () => {
      await page.getByRole("button", { name: "Start a Linux machine" }).click();
      await waitForState(page, NAME, "Running");
      await waitForConsole(page, /~ # *$/m);
    });
    expect(clicks).toBe(1);
  });

  test("a broken upgrade is undone: three", async () => {
    await runInConsole(page, "echo good > state", /good > state\n~ #/);
    await takeSnapshot(page, "Before the upgrade");
    await runInConsole(page, "echo broken > state", /broken > state\n~ #/);
    await page.reload();
    await machineRow(page, NAME).waitFor();
    await showPane(page, "Details");
    const clicks = await clicksOf(async () => {
      // From the current state, going back means the snapshot that it came from.
      await showPane(page, "Snapshots");
      const commands = page.getByRole("toolbar", { name: "Snapshot commands" });
      await commands.getByRole("button", { name: "Restore" }).click();
      await page
        .getByRole("form", { name: /Before the upgrade/ })
        .getByRole("button", { name: "Restore" })
        .click();
      await page
        .getByText(/is back at/)
        .first()
        .waitFor();
    });
    expect(clicks).toBe(3);
    await waitForState(page, NAME, "Running");
    await runInConsole(page, "cat state", /\ngood\n/);
  });

  test("a colleague gets a copy: three", async () => {
    const clicks = await clicksOf(async () => {
      await machineRow(page, NAME).click({ button: "right" });
      await page.getByRole("menuitem", { name: "Back Up or Export…" }).click();
      // One file, named after the machine, in the user's folder: all of it can be changed, none of it has to be.
      const dialog = page.getByRole("dialog", { name: `Back up or export ${NAME}` });
      await dialog.getByRole("button", { name: "Export", exact: true }).click();
      await page.getByText(`${NAME} was exported`).first().waitFor();
    });
    expect(clicks).toBe(3);
    expect(await readdir(folder.path)).toContain(`${NAME}.terrarium`);
  });

  test("what filled the disk is found: one, and its machine with another", async () => {
    const clicks = await clicksOf(async () => {
      await page.getByRole("navigation", { name: "Tools" }).getByRole("button", { name: "Media" }).click();
      const table = page.getByRole("table", { name: "Disk images" });
      // The largest is the first.
      await table.getByRole("row").nth(1).getByRole("button", { name: NAME }).click();
      await page.getByRole("tabpanel").waitFor();
    });
    expect(clicks).toBe(2);
  });
});
