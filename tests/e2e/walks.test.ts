// How many clicks common errands take from the main window. The numbers are promises: an errand may become shorter, never longer.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import {
  machineRow,
  runInConsole,
  showPane,
  snapshotRow,
  takeSnapshot,
  waitForConsole,
  waitForState,
} from "./support/actions.ts";

import { appUnderTest } from "./support/app-under-test.ts";

const NAME = "Starter Linux";

let page: Page;

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
    document.addEventListener("click", count, { capture: true });
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
    // The pane is the one that was looked at last; from another one it is one click more for the tab.
    await showPane(page, "Snapshots");
    const clicks = await clicksOf(async () => {
      await snapshotRow(page, "Before the upgrade").click();
      const commands = page.getByRole("toolbar", { name: "Snapshot commands" });
      await commands.getByRole("button", { name: "Restore" }).click();
      await page.getByRole("form").getByRole("button", { name: "Restore" }).click();
      await page
        .getByText(/is back at/)
        .first()
        .waitFor();
    });
    expect(clicks).toBe(3);
    await waitForState(page, NAME, "Running");
    await runInConsole(page, "cat state", /\ngood\n/);
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
