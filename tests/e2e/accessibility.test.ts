// axe on every pane and dialog, in both themes: nothing serious or critical.
import type { Browser, Page } from "playwright-core";
import { beforeAll, describe, test } from "vitest";
import {
  machineRow,
  machineTree,
  type PaneName,
  showPane,
  snapshotRow,
  takeSnapshot,
  waitForState,
} from "./support/actions.ts";
import { appUnderTest } from "./support/app-under-test.ts";
import { expectAccessible } from "./support/axe.ts";
import { openPage } from "./support/browser.ts";
import type { TestHost } from "./support/hosts.ts";

const NAME = "Starter Linux";

let browser: Browser;
let host: TestHost;

appUnderTest({
  async begin(app) {
    ({ browser, host } = app);
  },
});

describe.each(["light", "dark"] as const)("in the %s theme", (colorScheme) => {
  let page: Page;
  beforeAll(async () => {
    ({ page } = await openPage(browser, host.entryUrl(), { colorScheme }));
    await page.getByRole("toolbar", { name: "Machine commands" }).waitFor();
  }, 20_000);

  test.runIf(colorScheme === "light")("the empty start page", async () => {
    await page.getByRole("button", { name: "Start a Linux machine" }).waitFor();
    await expectAccessible(page);
    await page.getByRole("button", { name: "Start a Linux machine" }).click();
    await waitForState(page, NAME, "Running");
    await takeSnapshot(page, "One");
  });

  test.each<PaneName>(["Details", "Display", "Console", "Snapshots", "Files", "Activity", "Logs"])(
    "the pane %s",
    async (pane) => {
      await machineRow(page, NAME).click();
      await showPane(page, pane);
      if (pane === "Display") await page.getByRole("application").waitFor();
      if (pane === "Console") await page.getByRole("textbox", { name: "Terminal input" }).waitFor();
      if (pane === "Snapshots") await snapshotRow(page, "One").click();
      if (pane === "Files") await page.getByRole("combobox", { name: "Files of", exact: true }).waitFor();
      if (pane === "Activity") {
        await page.getByText("Watch", { exact: true }).click();
        await page.getByRole("table", { name: "Hottest code" }).waitFor();
      }
      await expectAccessible(page);
    },
  );

  test.each(["Take", "Restore", "Delete"])("the question of %s", async (command) => {
    await showPane(page, "Snapshots");
    await snapshotRow(page, "One").click();
    await page.getByRole("toolbar", { name: "Snapshot commands" }).getByRole("button", { name: command }).click();
    await page.getByRole("form").waitFor();
    await expectAccessible(page);
    await page.getByRole("form").getByRole("button", { name: "Cancel" }).click();
  });

  test.each([
    "General",
    "System",
    "Boot",
    "Display",
    "Storage",
    "Audio",
    "Network",
    "Serial",
    "USB",
    "Shared Folders",
    "Snapshots",
    "Backups",
  ])("the settings page %s", async (name) => {
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByRole("dialog").getByRole("tab", { name }).click();
    await expectAccessible(page);
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });

  test("the form of a new machine with its mistakes, and the file picker", async () => {
    await page.getByRole("button", { name: "New", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "New machine" });
    await dialog.getByRole("button", { name: "Next" }).click();
    await dialog.getByText("Choose an ISO image.").waitFor();
    await expectAccessible(page);
    await dialog.getByRole("radio", { name: "Download" }).click();
    await dialog.getByRole("combobox", { name: "Download" }).selectOption("Debian stable, network installer");
    await dialog.getByText("All on one page").click();
    await dialog.getByText("Set up without questions").click();
    await dialog.getByRole("spinbutton", { name: "Memory" }).waitFor();
    await expectAccessible(page);
    await dialog.getByText("All on one page").click();
    await dialog.getByRole("radio", { name: "Disc (ISO)" }).click();
    await dialog.getByRole("button", { name: "Browse…" }).first().click();
    const picker = page.getByRole("dialog", { name: "Choose a file on the host" });
    await picker.getByRole("list", { name: "Files and folders" }).waitFor();
    await expectAccessible(page);
    await picker.getByRole("button", { name: "Cancel" }).click();
    await picker.waitFor({ state: "detached" });
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
  });

  test.each(["Home", "Activity", "Consoles", "Media", "Network"])("the tool %s", async (name) => {
    await page.getByRole("navigation", { name: "Tools" }).getByRole("button", { name, exact: true }).click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    await expectAccessible(page);
    await machineRow(page, NAME).click();
  });

  test("the panels over the screen, and the question of closing", async () => {
    await showPane(page, "Display");
    await page.getByRole("application").waitFor();
    const bar = page.getByRole("toolbar", { name: "Display" });
    await bar.getByRole("button", { name: "Keys", exact: true }).click();
    await page.getByRole("menuitem", { name: "Soft Keyboard" }).click();
    await page.getByRole("group", { name: "Soft Keyboard" }).waitFor();
    await expectAccessible(page);
    await bar.getByRole("button", { name: "Type Text" }).click();
    await page.getByRole("form", { name: "Type Text" }).waitFor();
    await expectAccessible(page);
    await page.getByRole("form", { name: "Type Text" }).getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("application").click();
    await page.keyboard.down("ControlRight");
    await page.keyboard.press("q");
    await page.keyboard.up("ControlRight");
    await page.getByRole("dialog", { name: /^Close/ }).waitFor();
    await expectAccessible(page);
    await page
      .getByRole("dialog", { name: /^Close/ })
      .getByRole("button", { name: "Cancel" })
      .click();
    await page.getByRole("dialog", { name: /^Close/ }).waitFor({ state: "detached" });
  });

  test("several machines selected, and groups", async () => {
    await page.getByRole("button", { name: "New", exact: true }).click();
    await page.getByRole("button", { name: "Create and Start" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await machineRow(page, NAME).click();
    await machineTree(page).focus();
    await page.keyboard.press("Control+a");
    await page.getByRole("heading", { name: /machines selected/ }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press("Control+g");
    await page.getByRole("textbox", { name: /New name of the group/ }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press("Enter");
    await machineTree(page).getByText("New group").first().waitFor();
    await expectAccessible(page);
    await machineRow(page, NAME).click();
  });

  test("preferences, and a machine in a window of its own", async () => {
    await page.getByRole("navigation", { name: "Tools" }).getByRole("button", { name: "Preferences…" }).click();
    await page.getByRole("dialog", { name: "Preferences" }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog", { name: "Preferences" }).waitFor({ state: "detached" });
    const opened = page.context().waitForEvent("page");
    await showPane(page, "Display");
    await page.getByRole("toolbar", { name: "Display" }).getByRole("button", { name: "Show in Own Window" }).click();
    const own = await opened;
    await own.getByRole("application").waitFor();
    await expectAccessible(own);
    await own.close();
  });

  test("menus, notifications, palette and about", async () => {
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("menu").waitFor();
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    await machineRow(page, NAME).click({ button: "right" });
    await page.getByRole("menu").waitFor();
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("menuitem", { name: "Command Palette" }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Notifications" }).click();
    await page.getByRole("heading", { name: "Notifications" }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { name: "Notifications" }).waitFor({ state: "detached" });
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox").waitFor();
    await expectAccessible(page);
    await page.keyboard.type("about");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "About Terrarium" }).waitFor();
    await expectAccessible(page);
  });
});
