// A thousand machines and ten thousand snapshots: only what is in sight is drawn, whatever is done, and everything can be found.
// How long it takes is measured by `npm run bench -- app`, where nothing else runs at the same time.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { BIG_MACHINE, fillStore } from "../support/big-store.ts";
import { machineRow, machineTree, showPane, snapshotRow, snapshotTree } from "./support/actions.ts";
import { launchBrowser, openPage } from "./support/browser.ts";
import { startTestHost, type TestHost } from "./support/hosts.ts";

const MACHINES = 1000;
const SNAPSHOTS = 10_000;
/** Rows of a screenful and its margins. */
const DRAWN_MAX = 80;

vi.setConfig({ testTimeout: 60_000 });

let browser: Browser;
let host: TestHost;
let page: Page;

beforeAll(async () => {
  [browser, host] = await Promise.all([
    launchBrowser(),
    startTestHost("scripted", (home) => fillStore(home, MACHINES, SNAPSHOTS)),
  ]);
  ({ page } = await openPage(browser, host.entryUrl()));
  await machineTree(page).getByRole("treeitem").first().waitFor();
}, 180_000);

afterAll(async () => {
  await browser?.close();
  await host?.close();
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
