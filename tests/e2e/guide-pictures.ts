// Makes the pictures of the user guide (docs/images/guide-*.png) from the app itself, with real guests: Starter Linux has to be built. Run
// with `node tests/e2e/guide-pictures.ts [NAME...]`; it takes some minutes.
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import {
  machineRow,
  machineTree,
  runInConsole,
  STARTER_PROMPT,
  showPane,
  snapshotRow,
  stopMachine,
  takeSnapshot,
  waitForConsole,
  waitForState,
} from "./support/actions.ts";
import { launchBrowser, openPage } from "./support/browser.ts";
import { startTestHost } from "./support/hosts.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const wanted = process.argv.slice(2);
/** So many seconds of figures are in the picture of the charts. */
const FIGURES_S = 50;
const BOOT_MS = 240_000;

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
  await waitForState(page, "Starter Linux", "Running", BOOT_MS);
  await waitForConsole(page, STARTER_PROMPT, BOOT_MS);
  await machineTree(page).focus();
  await page.keyboard.press("F2");
  await page.getByRole("textbox", { name: /New name of/ }).fill(name);
  await page.keyboard.press("Enter");
  await waitForState(page, name, "Running");
}

/** Machines in the list need not all run. */
async function switchOff(page: Page, name: string): Promise<void> {
  await machineRow(page, name).click();
  await stopMachine(page, /Power Off/);
  await waitForState(page, name, "Powered Off", BOOT_MS);
}

const SCREEN_SHOW =
  "clear; (clear; uname -srm; echo; free -m; echo; df -h /; echo; ps | head -n 8; echo) > /dev/tty1; echo shown";

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
  const host = await startTestHost("embedded");
  try {
    const { page } = await openPage(browser, host.entryUrl(), { deviceScaleFactor: 1.5, width: 1200, height: 750 });
    page.setDefaultTimeout(60_000);
    for (const name of ["Debian sid", "Build box", "Database", "Web server"]) {
      await machine(page, name);
      if (name !== "Web server") await switchOff(page, name);
    }
    await group(page, "Web server", "Database", "Shop");
    await group(page, "Debian sid", "Build box", "Builds");
    await machineRow(page, "Web server").click();
    await runInConsole(
      page,
      "mkdir -p site; echo 'It works' > site/index.html; cat site/index.html",
      /^It works$/m,
      BOOT_MS,
    );
    await takeSnapshot(page, "Fresh install", BOOT_MS);
    await runInConsole(page, SCREEN_SHOW, /^shown$/m, BOOT_MS);
    await takeSnapshot(page, "Before the upgrade", BOOT_MS);
    await snapshotRow(page, "Fresh install").click();
    await page.getByRole("toolbar", { name: "Snapshot commands" }).getByRole("button", { name: "Restore" }).click();
    await page.getByRole("form").getByRole("button", { name: "Restore" }).click();
    await page.getByText(/is back at/).waitFor();
    await waitForState(page, "Web server", "Running", BOOT_MS);
    await runInConsole(page, SCREEN_SHOW, /^shown$/m, BOOT_MS);
    await showPane(page, "Snapshots");
    await snapshotRow(page, "Before the upgrade").click();
    await picture(page, "snapshots");
    await page.getByRole("button", { name: "Timeline" }).click();
    await page.getByRole("listbox").waitFor();
    await picture(page, "timeline");
    await page.getByRole("button", { name: "Timeline" }).click();
    await showPane(page, "Files");
    await page.getByRole("table", { name: "Files in /" }).or(page.getByText("No file system")).first().waitFor();
    await picture(page, "files");
    await showPane(page, "Details");
    await picture(page, "main-window");
    await tool(page, "Home");
    await picture(page, "home");
    await tool(page, "Consoles");
    await page.getByRole("searchbox", { name: "Find in what all machines printed" }).fill("works");
    await page.getByRole("table", { name: "Lines found" }).or(page.getByText("No machine printed")).first().waitFor();
    await picture(page, "consoles");
    await tool(page, "Media");
    await picture(page, "media");
    await tool(page, "Network");
    await picture(page, "network");
    await dialogs(page);
    await machineRow(page, "Web server").click();
    await showPane(page, "Display");
    await page.getByText(/^\d+ × \d+$/).waitFor();
    const bar = page.getByRole("toolbar", { name: "Display" });
    await bar.getByRole("button", { name: "Keys", exact: true }).click();
    await page.getByRole("menuitem", { name: "Soft Keyboard" }).click();
    await page.getByRole("group", { name: "Soft Keyboard" }).waitFor();
    await picture(page, "display");
    await showPane(page, "Console");
    await page.getByRole("button", { name: "Times beside the lines" }).click();
    await runInConsole(page, "clear; uname -srm; ls -l site; free -m; df -h /", STARTER_PROMPT, BOOT_MS);
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
