// A thousand machines and ten thousand snapshots: only what is in sight is drawn, whatever is done, and everything can be found.
// How long it takes is measured by `npm run bench -- app`, where nothing else runs at the same time.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { BIG_MACHINE, fillStore } from "../support/big-store.ts";
import { machineRow, machineTree, showPane, snapshotRow, snapshotTree } from "./support/actions.ts";

import { appUnderTest } from "./support/app-under-test.ts";

const MACHINES = 1000;
const SNAPSHOTS = 10_000;
/** Rows of a screenful and its margins. */
const DRAWN_MAX = 80;

let page: Page;

appUnderTest({
  prepare: (home) => fillStore(home, MACHINES, SNAPSHOTS),
  async begin(app) {
    ({ page } = app);
    await machineTree(page).getByRole("treeitem").first().waitFor();
  },
});

const drawn = () => machineTree(page).getByRole("treeitem").count();

test("the list draws a screenful of a thousand machines", async () => {
  expect(await drawn()).toBeLessThan(DRAWN_MAX);
  const count = await machineTree(page).getByRole("treeitem").first().getAttribute("aria-setsize");
  expect(Number(count)).toBeGreaterThan(MACHINES);
});

test("the keyboard reaches the last machine and the first one again", async () => {
  await machineTree(page).focus();
  await page.keyboard.press("End");
  await expect.poll(() => machineTree(page).getAttribute("aria-activedescendant")).toMatch(/^machine-a/);
  expect(await drawn()).toBeLessThan(DRAWN_MAX);
  await page.keyboard.press("Home");
  await machineRow(page, "Home").waitFor();
});

test("a search among a thousand shows what matches", async () => {
  await page.getByRole("searchbox", { name: "Search Machines" }).fill("0777");
  await machineRow(page, "Machine 0777").waitFor();
  await expect.poll(drawn).toBeLessThan(5);
  await page.getByRole("searchbox", { name: "Search Machines" }).fill("");
  // The list follows when there is time; until then "all" are those that were found.
  await expect.poll(drawn).toBeGreaterThan(5);
});

test("all of them are selected at once", async () => {
  await machineTree(page).focus();
  await page.keyboard.press("Control+a");
  await page.getByRole("heading", { name: "1000 machines selected" }).waitFor();
});

test("ten thousand snapshots are a tree of which a screenful is drawn", async () => {
  await page.getByRole("searchbox", { name: "Search Machines" }).fill(BIG_MACHINE);
  await machineRow(page, BIG_MACHINE).click();
  await showPane(page, "Snapshots");
  await snapshotTree(page).waitFor({ timeout: 30_000 });
  await snapshotTree(page).focus();
  await page.keyboard.press("Home");
  await snapshotRow(page, "Snapshot 0").waitFor();
  expect(await snapshotTree(page).getByRole("treeitem").count()).toBeLessThan(DRAWN_MAX);
  await page.keyboard.press("End");
  await snapshotTree(page).getByText("Current State").waitFor();
  await page.keyboard.press("ArrowUp");
  await snapshotRow(page, "Snapshot 9999").waitFor();
});
