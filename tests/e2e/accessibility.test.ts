// axe on every pane and dialog, in both themes: nothing serious or critical.
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { machineRow, type PaneName, showPane, snapshotRow, takeSnapshot, waitForState } from "./support/actions.ts";
import { launchBrowser, openPage } from "./support/browser.ts";
import { startTestHost, type TestHost } from "./support/hosts.ts";

const NAME = "Starter Linux";

vi.setConfig({ testTimeout: 30_000 });

let browser: Browser;
let host: TestHost;

beforeAll(async () => {
  [browser, host] = await Promise.all([launchBrowser(), startTestHost("scripted")]);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await host?.close();
});

async function findings(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html.slice(0, 160)} (${node.failureSummary?.slice(0, 300)})`),
    );
}

describe.each(["light", "dark"] as const)("in the %s theme", (colorScheme) => {
  let page: Page;
  beforeAll(async () => {
    ({ page } = await openPage(browser, host.entryUrl(), { colorScheme }));
    await page.getByRole("toolbar", { name: "Machine commands" }).waitFor();
  }, 20_000);

  test.runIf(colorScheme === "light")("the empty start page", async () => {
    await page.getByRole("button", { name: "Start a Linux machine" }).waitFor();
    expect(await findings(page)).toEqual([]);
    await page.getByRole("button", { name: "Start a Linux machine" }).click();
    await waitForState(page, NAME, "Running");
    await takeSnapshot(page, "One");
  });

  test.each<PaneName>(["Details", "Display", "Console", "Snapshots", "Logs"])("the pane %s", async (pane) => {
    await machineRow(page, NAME).click();
    await showPane(page, pane);
    if (pane === "Display") await page.getByRole("application").waitFor();
    if (pane === "Snapshots") await snapshotRow(page, "One").click();
    expect(await findings(page)).toEqual([]);
  });

  test.each(["Take", "Restore", "Delete"])("the question of %s", async (command) => {
    await showPane(page, "Snapshots");
    await snapshotRow(page, "One").click();
    await page.getByRole("toolbar", { name: "Snapshot commands" }).getByRole("button", { name: command }).click();
    await page.getByRole("form").waitFor();
    expect(await findings(page)).toEqual([]);
    await page.getByRole("form").getByRole("button", { name: "Cancel" }).click();
  });

  test.each(["General", "System", "Boot", "Display", "Storage", "Serial"])("the settings page %s", async (name) => {
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByRole("dialog").getByRole("tab", { name }).click();
    expect(await findings(page)).toEqual([]);
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });

  test("the form of a new machine with its mistakes, and the file picker", async () => {
    await page.getByRole("button", { name: "New", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "New machine" });
    await dialog.getByRole("button", { name: "Next" }).click();
    await dialog.getByText("Choose an ISO image.").waitFor();
    expect(await findings(page)).toEqual([]);
    await dialog.getByText("All on one page").click();
    await dialog.getByRole("spinbutton", { name: "Memory" }).waitFor();
    expect(await findings(page)).toEqual([]);
    await dialog.getByText("All on one page").click();
    await dialog.getByRole("button", { name: "Browse…" }).first().click();
    const picker = page.getByRole("dialog", { name: "Choose a file on the host" });
    await picker.getByRole("list", { name: "Files and folders" }).waitFor();
    expect(await findings(page)).toEqual([]);
    await picker.getByRole("button", { name: "Cancel" }).click();
    await picker.waitFor({ state: "detached" });
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
  });

  test("menus, notifications, palette and about", async () => {
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("menu").waitFor();
    expect(await findings(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    await machineRow(page, NAME).click({ button: "right" });
    await page.getByRole("menu").waitFor();
    expect(await findings(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("menuitem", { name: "Command Palette" }).waitFor();
    expect(await findings(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Notifications" }).click();
    await page.getByRole("heading", { name: "Notifications" }).waitFor();
    expect(await findings(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { name: "Notifications" }).waitFor({ state: "detached" });
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox").waitFor();
    expect(await findings(page)).toEqual([]);
    await page.keyboard.type("about");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "About Terrarium" }).waitFor();
    expect(await findings(page)).toEqual([]);
  });
});
