// Makes the pictures of the README (docs/images) and the icons in PNG (resources/icons) from the app itself, with a real guest.
// Run with `node tests/e2e/pictures.ts`; Starter Linux has to be built.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import {
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
const ICON_SIZES = [16, 32, 48, 64, 128, 256, 512];

async function makeIcons(browser: Browser): Promise<void> {
  const svg = await readFile(`${root}resources/icons/terrarium.svg`, "utf8");
  for (const size of ICON_SIZES) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    await page.setContent(`<style>body{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${svg}`);
    const png = await page.screenshot({ omitBackground: true });
    await writeFile(`${root}resources/icons/${size}x${size}.png`, png);
    if (size === 512) await writeFile(`${root}resources/icons/icon.png`, png);
    await page.close();
  }
}

async function picture(page: Page, name: string): Promise<void> {
  // Toasts come and go; pictures are of what stays.
  await page.locator(".toasts-stack").waitFor({ state: "detached", timeout: 20_000 });
  await page.screenshot({ path: `${root}docs/images/${name}.png` });
}

async function newStarter(page: Page, name: string): Promise<void> {
  const empty = page.getByRole("button", { name: "Start a Linux machine" });
  const create = page.getByRole("button", { name: "New", exact: true });
  await create.waitFor();
  if (await empty.isVisible()) await empty.click();
  else {
    await create.click();
    await page.getByRole("button", { name: "Create and Start" }).click();
  }
  await waitForState(page, "Starter Linux", "Running", 60_000);
  await waitForConsole(page, STARTER_PROMPT, 120_000);
  await machineTree(page).focus();
  await page.keyboard.press("F2");
  await page.getByRole("textbox", { name: /New name of/ }).fill(name);
  await page.keyboard.press("Enter");
  await waitForState(page, name, "Running");
}

async function setTheme(page: Page, name: "Light" | "Dark"): Promise<void> {
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("menu").getByText(name, { exact: true }).click();
  await page.keyboard.press("Escape");
  await page.getByRole("menu").waitFor({ state: "detached" });
}

const SCREEN_SHOW =
  "clear; (clear; uname -srm; echo; free -m; echo; df -h /; echo; ps | head -n 8; echo; " +
  "for c in 1 2 3 4 5 6; do printf '\\033[1;3'$c'm terrarium \\033[0m'; done; echo) > /dev/tty1; echo shown";

async function makePictures(browser: Browser): Promise<void> {
  const host = await startTestHost("embedded");
  const { page } = await openPage(browser, host.entryUrl(), { deviceScaleFactor: 2 });
  page.setDefaultTimeout(30_000);
  try {
    await newStarter(page, "Kernel tests");
    await stopMachine(page, /Save State/);
    await waitForState(page, "Kernel tests", "Saved", 30_000);
    await newStarter(page, "Build box");
    await stopMachine(page, /Power Off/);
    await waitForState(page, "Build box", "Powered Off", 30_000);
    await newStarter(page, "Web server");

    await runInConsole(
      page,
      "clear; mkdir -p site; echo '<h1>It works</h1>' > site/index.html; ls -l site",
      /index\.html\n/,
    );
    await takeSnapshot(page, "Fresh install", 30_000);
    await runInConsole(
      page,
      "clear; cat /proc/cpuinfo | head -n 9; cat /proc/meminfo | head -n 5; mount | head -n 4",
      STARTER_PROMPT,
    );
    await picture(page, "console");
    await takeSnapshot(page, "Before the upgrade", 30_000);
    await runInConsole(page, "clear; rm -r site; ls; echo gone", /^gone$/m);
    await takeSnapshot(page, "Upgrade, first try", 30_000);
    await snapshotRow(page, "Before the upgrade").click();
    await page.getByRole("toolbar", { name: "Snapshot commands" }).getByRole("button", { name: "Restore" }).click();
    await page.getByRole("form").getByText("Keep the current state").click();
    await page.getByRole("form").getByRole("button", { name: "Restore" }).click();
    await page.getByText(/is back at/).waitFor();
    await waitForState(page, "Web server", "Running", 30_000);
    await runInConsole(page, "clear; cat site/index.html", /It works/);
    await takeSnapshot(page, "Upgrade, second try", 30_000);
    await runInConsole(page, SCREEN_SHOW, /^shown$/m);
    await showPane(page, "Snapshots");
    await snapshotRow(page, "Before the upgrade").click();
    await picture(page, "snapshots-light");

    await setTheme(page, "Dark");
    await showPane(page, "Display");
    await page.getByText(/^\d+ × \d+$/).waitFor();
    await picture(page, "display-dark");
    await showPane(page, "Details");
    await page.getByText("Disk traffic").waitFor();
    await page.waitForTimeout(20_000);
    await picture(page, "details-dark");
  } finally {
    await host.close();
  }
}

await mkdir(`${root}docs/images`, { recursive: true });
const browser = await launchBrowser();
try {
  await makeIcons(browser);
  await makePictures(browser);
} finally {
  await browser.close();
}
