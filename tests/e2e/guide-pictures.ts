// Makes the pictures of the user guide (docs/images/guide-*.png) from the app itself. Run with `node tests/e2e/guide-pictures.ts [NAME...]`;
// the guests are scripted, so that it takes a minute and the pictures are the same every time.
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import {
  machineRow,
  machineTree,
  runInConsole,
  showPane,
  snapshotRow,
  takeSnapshot,
  waitForState,
} from "./support/actions.ts";
import { launchBrowser, openPage } from "./support/browser.ts";
import { startTestHost } from "./support/hosts.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const wanted = process.argv.slice(2);
/** So many seconds of figures are in the picture of the charts. */
const FIGURES_S = 50;

async function picture(page: Page, name: string): Promise<void> {
  if (wanted.length > 0 && !wanted.includes(name)) return;
  // Notifications come and go; pictures are of what stays.
  await page.locator(".toasts-stack").waitFor({ state: "detached", timeout: 20_000 });
  await page.screenshot({ path: `${root}docs/images/guide-${name}.png` });
}

async function machine(page: Page, name: string): Promise<void> {
  const empty = page.getByRole("button", { name: "Start a Linux machine" });
  await empty.or(machineTree(page).getByRole("treeitem")).first().waitFor();
  if (await empty.isVisible()) await empty.click();
  else {
    await page.getByRole("button", { name: "New", exact: true }).click();
    await page.getByRole("button", { name: "Create and Start" }).click();
  }
  await waitForState(page, "Starter Linux", "Running");
  await machineTree(page).focus();
  await page.keyboard.press("F2");
  await page.getByRole("textbox", { name: /New name of/ }).fill(name);
  await page.keyboard.press("Enter");
  await waitForState(page, name, "Running");
}

async function group(page: Page, first: string, last: string, name: string): Promise<void> {
  await machineRow(page, first).click();
  if (last !== first) await machineRow(page, last).click({ modifiers: ["Control"] });
  await machineTree(page).focus();
  await page.keyboard.press("Control+g");
  await page.getByRole("textbox", { name: /New name of the group/ }).fill(name);
  await page.keyboard.press("Enter");
  await machineRow(page, name).waitFor();
}

async function tool(page: Page, name: string): Promise<void> {
  await page.getByRole("navigation", { name: "Tools" }).getByRole("button", { name, exact: true }).click();
  await page.getByRole("heading", { level: 1 }).waitFor();
}

async function dialogs(page: Page): Promise<void> {
  await page.getByRole("button", { name: "New", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "New machine" });
  await dialog.getByRole("textbox", { name: "Name" }).fill("Debian");
  await picture(page, "new-machine");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  await machineRow(page, "Database").click();
  await page.getByRole("button", { name: "Settings" }).click();
  const settings = page.getByRole("dialog", { name: "Settings of Database" });
  await settings.getByRole("textbox", { name: "Description" }).fill("Test data of the shop; may be lost at any time.");
  await picture(page, "settings");
  await settings.getByRole("button", { name: "Cancel" }).click();
  await settings.waitFor({ state: "detached" });
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("sn");
  await page.getByRole("option").first().waitFor();
  await picture(page, "palette");
  await page.keyboard.press("Escape");
}

async function makePictures(browser: Browser): Promise<void> {
  const host = await startTestHost("scripted");
  try {
    const { page } = await openPage(browser, host.entryUrl(), { deviceScaleFactor: 1.5, width: 1200, height: 750 });
    for (const name of ["Web server", "Database", "Debian sid", "Build box"]) await machine(page, name);
    await group(page, "Web server", "Database", "Shop");
    await group(page, "Debian sid", "Build box", "Builds");
    await machineRow(page, "Web server").click();
    await runInConsole(page, "echo It works", /^It works$/m);
    await takeSnapshot(page, "Fresh install");
    await takeSnapshot(page, "Before the upgrade");
    await snapshotRow(page, "Fresh install").click();
    await page.getByRole("toolbar", { name: "Snapshot commands" }).getByRole("button", { name: "Restore" }).click();
    await page.getByRole("form").getByRole("button", { name: "Restore" }).click();
    await page.getByText(/is back at/).waitFor();
    await waitForState(page, "Web server", "Running");
    await snapshotRow(page, "Before the upgrade").click();
    await picture(page, "snapshots");
    await showPane(page, "Details");
    await picture(page, "main-window");
    await tool(page, "Home");
    await picture(page, "home");
    await tool(page, "Media");
    await picture(page, "media");
    await tool(page, "Network");
    await picture(page, "network");
    await dialogs(page);
    await machineRow(page, "Web server").click();
    await showPane(page, "Display");
    await page.getByText("640 × 400").waitFor();
    const bar = page.getByRole("toolbar", { name: "Display" });
    await bar.getByRole("button", { name: "Keys", exact: true }).click();
    await page.getByRole("menuitem", { name: "Soft Keyboard" }).click();
    await page.getByRole("group", { name: "Soft Keyboard" }).waitFor();
    await picture(page, "display");
    await showPane(page, "Console");
    await page.getByRole("button", { name: "Times beside the lines" }).click();
    await runInConsole(page, "ls", /~ #$/);
    await picture(page, "console");
    await showPane(page, "Activity");
    await page.getByText("1 min", { exact: true }).click();
    await page.waitForTimeout(FIGURES_S * 1000);
    await picture(page, "activity");
    await tool(page, "Activity");
    await picture(page, "activity-overview");
  } finally {
    await host.close();
  }
}

const browser = await launchBrowser();
try {
  await makePictures(browser);
} finally {
  await browser.close();
}
